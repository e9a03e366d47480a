"""What is known of the last uses of clients and secrets, through the Python API."""

from __future__ import annotations

import pytest

from helpers.builders import HOUR, NOW, STORE_SUITE
from helpers.support import SECRET
from oauth_mw import AdminError, NotFound, admin
from oauth_mw.admin import LastUse
from oauth_mw.model import CLIENTS_PER_PAGE, Client

STORE_KINDS = list(STORE_SUITE)
DAY = 24 * HOUR


@pytest.fixture
def tester(store, clock):
    return admin.add_client(store, "tester", client_id="tester", secret=SECRET, clock=clock).client


@pytest.fixture
def used(store, tester):
    """Note that the first secret of the client was used at this Unix second."""
    secret_id = tester.secrets[0].secret_id

    def used(second):
        store.note_uses({("tester", secret_id): second, ("tester", ""): second})
        return secret_id

    return used


def test_a_client_has_its_last_use_and_those_of_its_secrets(store, tester, used):
    before = admin.last_use(store, "tester")

    secret_id = used(NOW)

    assert (before, admin.last_use(store, "tester")) == (LastUse(None, {}), LastUse(NOW, {secret_id: NOW}))


def test_the_use_of_a_client_remains_when_the_secret_is_revoked(store, used, clock):
    admin.revoke_secret(store, "tester", used(NOW), force=True, clock=clock)

    assert admin.last_use(store, "tester") == LastUse(NOW, {})


@pytest.mark.parametrize("store_kind", ["memory"])
def test_an_unknown_client_has_no_last_use(store):
    with pytest.raises(NotFound):
        admin.last_use(store, "nobody")


@pytest.mark.parametrize("store_kind", ["memory"])
def test_each_of_many_clients_has_its_own(store):
    ids = [f"c{number:04}" for number in range(CLIENTS_PER_PAGE + 1)]
    for number, client_id in enumerate(ids):
        store.add_client(Client(client_id))
        store.note_uses({(client_id, ""): number + 1})

    found = {client.client_id: use.client for client, use in admin.with_last_use(store, admin.list_clients(store))}

    assert found == {client_id: number + 1 for number, client_id in enumerate(ids)}


def unused(store, clock, seconds):
    return [client.client_id for client, _ in admin.unused_clients(store, seconds, clock=clock)]


# What is noted may be an hour older than the last use.
@pytest.mark.parametrize(("passed", "listed"), [(90 * DAY + HOUR, ["tester"]), (90 * DAY + HOUR - 1, [])])
def test_a_client_is_unused_once_its_last_use_is_surely_over_for_so_long(store, used, clock, passed, listed):
    used(NOW)
    clock.move(passed)

    assert unused(store, clock, 90 * DAY) == listed


@pytest.mark.parametrize("store_kind", ["memory"])
@pytest.mark.parametrize(("passed", "listed"), [(90 * DAY, ["tester"]), (90 * DAY - 1, [])])
def test_a_client_that_was_never_used_counts_from_its_creation(store, tester, clock, passed, listed):
    clock.move(passed)

    assert unused(store, clock, 90 * DAY) == listed


# Revocation


def test_a_secret_that_was_used_within_the_last_day_is_not_revoked(store, tester, used, clock):
    secret_id = used(NOW)
    clock.move(DAY + HOUR - 1)

    with pytest.raises(AdminError, match="was used at 2027-01-15T08:00:00Z, or up to an hour later: .* --force"):
        admin.revoke_secret(store, "tester", secret_id, clock=clock)

    assert store.find_client("tester").secrets == tester.secrets


REVOKED = {
    "forced": (0, {"force": True}),
    "after a day": (DAY + HOUR, {}),
}


@pytest.mark.parametrize("store_kind", ["memory"])
@pytest.mark.parametrize(("passed", "options"), REVOKED.values(), ids=REVOKED)
def test_a_used_secret_is_revoked(store, used, clock, passed, options):
    secret_id = used(NOW)
    clock.move(passed)

    admin.revoke_secret(store, "tester", secret_id, clock=clock, **options)

    assert store.find_client("tester").secrets == ()


@pytest.mark.parametrize("store_kind", ["memory"])
def test_a_secret_that_has_expired_is_revoked_although_it_was_used_before(store, used, clock):
    secret_id = used(NOW)
    admin.rotate_secret(store, "tester", overlap=HOUR, clock=clock)
    clock.move(HOUR)

    admin.revoke_secret(store, "tester", secret_id, clock=clock)

    assert [each.secret_id for each in store.find_client("tester").secrets] != [secret_id]


@pytest.mark.parametrize("store_kind", ["memory"])
def test_a_secret_that_was_not_used_is_revoked_beside_one_that_was(store, used, clock):
    used(NOW)
    other = admin.add_secret(store, "tester", clock=clock).record

    admin.revoke_secret(store, "tester", other.secret_id, clock=clock)

    assert len(store.find_client("tester").secrets) == 1
