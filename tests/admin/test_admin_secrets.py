"""Secrets of clients through the Python API."""

from __future__ import annotations

import pytest

from helpers.builders import NOW, is_dead, issued, secret_works
from helpers.support import SECRET
from oauth_mw import AdminError, NotFound, admin
from oauth_mw.credentials import MAX_SECRETS
from oauth_mw.model import LAST_SECOND

STORE_KINDS = ["memory"]


@pytest.fixture
def tester(store, clock):
    return admin.add_client(store, "tester", client_id="tester", secret=SECRET, clock=clock)


def test_each_of_several_secrets_works_until_its_end(store, tester, clock):
    second = admin.add_secret(store, "tester", label="rotation", not_after=NOW + 60, clock=clock)

    assert (second.record.label, second.record.created_at) == ("rotation", NOW)
    assert secret_works(store, SECRET)
    assert [secret_works(store, second.secret, now) for now in (NOW + 59, NOW + 60)] == [True, False]


@pytest.mark.parametrize("not_after", [0, -1, NOW, LAST_SECOND + 1, 2**80])
def test_a_not_after_that_cannot_be_is_refused(store, tester, clock, not_after):
    with pytest.raises(AdminError, match="not_after"):
        admin.add_secret(store, "tester", not_after=not_after, clock=clock)


@pytest.mark.parametrize("and_tokens", [False, True])
def test_a_revoked_secret_stops_new_tokens_and_ends_live_ones_only_when_asked(store, tester, and_tokens):
    key = issued(store)

    admin.revoke_secret(store, "tester", tester.client.secrets[0].secret_id, and_tokens=and_tokens)

    assert not secret_works(store, SECRET)
    assert is_dead(store, key) is and_tokens


def test_a_secret_is_revoked_once(store, tester):
    secret_id = tester.client.secrets[0].secret_id
    admin.revoke_secret(store, "tester", secret_id)

    for unknown in (secret_id, "\ud800"):
        with pytest.raises(NotFound, match="has no secret"):
            admin.revoke_secret(store, "tester", unknown)


def test_a_client_has_a_bounded_number_of_secrets(store, tester, clock):
    for _ in range(MAX_SECRETS - 1):
        admin.add_secret(store, "tester", clock=clock)

    with pytest.raises(AdminError, match=f"at most {MAX_SECRETS} secrets"):
        admin.add_secret(store, "tester", clock=clock)


class Repeating:
    """Makes each change twice, as a store does after it lost the answer to the first attempt."""

    def __init__(self, store):
        self._store = store

    def update_client(self, client_id, change, **options):
        self._store.update_client(client_id, change, **options)
        return self._store.update_client(client_id, change, **options)


def test_the_secret_of_a_repeated_change_is_stored_once(store, tester):
    for count in range(2, MAX_SECRETS + 1):
        admin.add_secret(Repeating(store), "tester")

        assert len(store.find_client("tester").secrets) == count


def test_a_secret_from_elsewhere_is_judged_like_the_first_one(store, tester):
    with pytest.raises(AdminError, match="weak"):
        admin.add_secret(store, "tester", secret="password12345678")
