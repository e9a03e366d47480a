"""The rotation of secrets through the Python API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import HOUR, NOW, secret_works
from helpers.changes import Repeating
from helpers.support import SECRET
from oauth_mw import AdminError, NotFound, admin
from oauth_mw.credentials import MAX_SECRETS
from oauth_mw.model import LAST_SECOND

STORE_KINDS = ["memory"]


@pytest.fixture
def tester(store, clock):
    return admin.add_client(store, "tester", client_id="tester", secret=SECRET, clock=clock)


@pytest.fixture
def rotate(store, tester, clock):
    return lambda **options: admin.rotate_secret(store, "tester", **{"overlap": HOUR, "clock": clock, **options})


def ends(store):
    return [secret.not_after for secret in store.find_client("tester").secrets]


def test_the_new_secret_works_at_once_and_the_old_one_until_the_overlap_is_over(store, rotate):
    new = rotate(label="2027")

    works = [[secret_works(store, each, now) for each in (SECRET, new.secret)] for now in (NOW + 3599, NOW + 3600)]

    assert works == [[True, True], [False, True]]
    assert (new.record.label, new.record.not_after) == ("2027", None)


def test_only_a_later_end_is_moved(store, rotate, clock):
    for seconds in (60, HOUR, 2 * HOUR):
        admin.add_secret(store, "tester", not_after=NOW + seconds, clock=clock)

    rotate(not_after=NOW + 3 * HOUR)

    assert ends(store) == [NOW + HOUR, NOW + 60, NOW + HOUR, NOW + HOUR, NOW + 3 * HOUR]


def test_without_an_overlap_the_old_secret_is_refused_at_once(store, rotate):
    new = rotate(overlap=0)

    assert [secret_works(store, each) for each in (SECRET, new.secret)] == [False, True]


def test_a_client_without_secrets_gets_one(store, rotate, tester):
    admin.revoke_secret(store, "tester", tester.client.secrets[0].secret_id)

    assert secret_works(store, rotate().secret)


REFUSED = {
    "a negative overlap": {"overlap": -1},
    "an overlap beyond all times": {"overlap": LAST_SECOND},
    "a weak secret": {"secret": "hunter2"},
    "an end that has passed": {"not_after": NOW},
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_a_rotation_that_cannot_be_changes_nothing(store, rotate, tester, options):
    with pytest.raises(AdminError):
        rotate(**options)

    assert store.find_client("tester").secrets == tester.client.secrets


@pytest.mark.parametrize("unknown", ["nobody", "\ud800"])
def test_an_unknown_client_has_nothing_to_rotate(store, unknown):
    with pytest.raises(NotFound):
        admin.rotate_secret(store, unknown, overlap=HOUR)


def test_expired_secrets_make_room_the_earliest_first(store, rotate, clock):
    for number in range(MAX_SECRETS):
        rotate(overlap=0, label=str(number))
        clock.move(1)

    assert [secret.label for secret in store.find_client("tester").secrets] == ["0", "1", "2", "3", "4"]


def test_secrets_that_have_not_expired_make_none(store, rotate, clock):
    for _ in range(MAX_SECRETS - 1):
        rotate()
    before = store.find_client("tester")

    with pytest.raises(AdminError, match="at most 5 secrets, and none of these has expired: revoke one first"):
        rotate()

    assert store.find_client("tester") == before


def test_a_rotation_that_a_store_repeats_is_made_once(store, tester, clock):
    rotation = admin.rotate_secret(Repeating(store), "tester", overlap=HOUR, clock=clock)

    assert ends(store) == [NOW + HOUR, None]
    assert (rotation.before.secrets, rotation.client) == (tester.client.secrets, store.find_client("tester"))


def test_a_rotation_is_undone_and_what_was_changed_since_then_is_kept(store, rotate, clock):
    other = admin.add_secret(store, "tester", clock=clock).record
    rotation = rotate()
    store.update_client("tester", lambda client: replace(client, name="another", secrets=shortened(client, other)))

    admin.undo_rotation(store, rotation)

    assert (store.find_client("tester").name, ends(store)) == ("another", [None, NOW + 5])
    assert not secret_works(store, rotation.secret)


def shortened(client, secret):
    return tuple(each._replace(not_after=NOW + 5) if each.salt == secret.salt else each for each in client.secrets)


def test_the_secret_is_in_no_repr(rotate):
    rotation = rotate()

    assert rotation.secret not in repr(rotation)
