"""Tokens that have no row: only the log shows which of them are revoked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import HOUR, NOW, events_of, is_dead, issued, key_of, log_of, multi_process, sweeping
from helpers.changes import end_client
from oauth_mw.model import KEEP_AGAIN_SECONDS, LOG_KEEP_SECONDS, Sizes
from oauth_mw.tokens import revoking

pytestmark = pytest.mark.usefixtures("tester", "other")


def load_denylist(store):
    return sorted((event[1:] for event in events_of(store)), key=repr)


def now_of(store, client_id="tester"):
    return store.find_client(client_id).revoked_before


@pytest.mark.parametrize("client_id", ["tester", "unknown"])  # perhaps to a store that was restored
def test_a_token_is_revoked_once_by_an_event_that_says_so(store, client_id):
    position = now_of(store) if client_id == "tester" else 0
    before = log_of(store)

    assert [store.revoke_log_only(client_id, key_of(), position) for _ in range(2)] == [1, 0]

    (event,) = store.read_log(before.store_id, before.position).events
    assert load_denylist(store) == [event[1:]] == [(client_id, key_of(), True)]


@pytest.mark.parametrize("delete", [False, True])
def test_a_token_that_was_revoked_with_its_client_is_not_revoked_again(store, delete):
    position = now_of(store)
    end_client(store, "tester", delete=delete)

    assert not store.revoke_log_only("tester", key_of(), position)
    assert load_denylist(store) == [("tester", None, False)]


def test_the_last_revocation_of_a_client_is_read_even_when_its_event_was_swept(store, clock):
    end_client(store, "tester")
    last = now_of(store)
    clock.move(10 * LOG_KEEP_SECONDS)
    end_client(store, "other")

    assert {event.position for event in events_of(store)} == {last, now_of(store, "other")}


def test_a_single_revocation_is_kept_until_no_clock_can_accept_the_token(store, clock):
    key = key_of(expires_at=NOW + 100)
    store.revoke_log_only("tester", key, now_of(store))

    kept = []
    for step in (100 + LOG_KEEP_SECONDS, 1, KEEP_AGAIN_SECONDS + 100, 1):
        clock.move(step)
        end_client(store, "other")
        kept.append(("tester", key, True) in load_denylist(store))

    # Without a clock of the engine, the machine's must say it twice.
    assert kept == ([True, True, True, False] if store.url.startswith("sqlite") else [True, False, False, False])


@pytest.mark.parametrize("sizes", [Sizes(denylist_page=2)])
def test_a_denylist_is_read_in_several_pages(store):
    for number in range(5):
        store.revoke_log_only("tester", key_of(number), now_of(store))
    end_client(store, "other")

    singles = {key for _, key, log_only in load_denylist(store) if log_only}
    assert singles == set(map(key_of, range(5)))
    assert ("other", None, False) in load_denylist(store)


@multi_process
@pytest.mark.parametrize("sizes", [Sizes(events_per_read=2)])
def test_a_follower_that_missed_too_many_events_must_begin_anew(store):
    before = log_of(store)

    complete = []
    for _ in range(3):
        end_client(store, "other")
        complete.append(store.read_log(before.store_id, before.position).complete)

    assert complete == [True, True, False]


def test_a_token_with_a_row_is_marked_there_or_on_the_denylist(store):
    store.revoke_token(issued(store))

    assert load_denylist(store) == ([] if store.rows_show_all else [("tester", key_of(), True)])


three_a_client = pytest.mark.parametrize("sizes", [Sizes(log_only_per_client=3)], ids=["three"])


def test_a_client_has_at_most_ten_thousand_log_only_revocations(store):
    assert store.sizes.log_only_per_client == 10_000


def revoked_singly(store, numbers, position, client_id="tester", *, expires_at=NOW + HOUR):
    """Whether each was revoked just now."""
    keys = [key_of(number, expires_at=expires_at) for number in numbers]
    return [revoking.revoke_log_only(store, client_id, key, position, NOW) for key in keys]


@three_a_client
def test_too_many_revocations_of_a_client_become_one(store):
    position = now_of(store)
    revoked_singly(store, [9], position, "other")
    row = issued(store, "tester", number=8)

    assert revoked_singly(store, range(4), position) == [True] * 4
    assert load_denylist(store) == [("other", key_of(9), True), ("tester", None, False)]
    assert is_dead(store, row) or not store.rows_show_all


@three_a_client
def test_too_many_revocations_of_an_unknown_client_stay_single(store):
    revoked_singly(store, range(5), 0, "unknown")

    assert len(load_denylist(store)) == 5


@three_a_client
@pytest.mark.parametrize("seen", [0, 3], ids=["none", "all but the last"])
def test_a_follower_learns_that_too_many_revocations_became_one(store, seen):
    position = now_of(store)
    revoked_singly(store, range(seen), position)
    before = log_of(store)
    revoked_singly(store, range(seen, 4), position)

    page = store.read_log(before.store_id, before.position)

    singles = [("tester", key_of(number)) for number in range(seen, 4)]
    assert page.complete and [event[1:3] for event in page.events] == [*singles, ("tester", None)]


@pytest.mark.parametrize("how", [{}, {"disable": True}, {"delete": True}], ids=["all tokens", "disabled", "deleted"])
def test_after_all_of_a_client_no_single_revocation_is_left(store, how):
    position = now_of(store)
    revoked_singly(store, range(3), position)
    revoked_singly(store, [9], position, "other")

    end_client(store, "tester", **how)

    assert load_denylist(store) == [("other", key_of(9), True), ("tester", None, False)]


@three_a_client
def test_single_revocations_before_one_of_all_do_not_count(store):
    revoked_singly(store, range(3), now_of(store))
    end_client(store, "tester")
    assert store.revoke_log_only("tester", key_of(4), now_of(store)) == 1

    revoked_singly(store, range(5, 7), now_of(store))

    singles = [key for _, key, log_only in load_denylist(store) if log_only]
    assert set(singles) == set(map(key_of, range(4, 7)))


@three_a_client
def test_revocations_that_are_swept_make_room(store, clock):
    position = now_of(store)
    revoked_singly(store, range(3), position, expires_at=NOW + 1)
    for step in (2 + LOG_KEEP_SECONDS, 2 + KEEP_AGAIN_SECONDS):
        clock.move(step)
        end_client(store, "other")
    late = key_of(7, expires_at=NOW + 10 * LOG_KEEP_SECONDS)
    revoking.revoke_log_only(store, "tester", late, position, NOW)

    assert load_denylist(store) == [("other", None, False), ("tester", late, True)]


def test_a_revocation_outlasts_a_change_of_the_client(store):
    store.revoke_log_only("tester", key_of(), now_of(store))

    store.update_client("tester", lambda client: replace(client, enabled=False))

    assert load_denylist(store) == [("tester", key_of(), True)]


@three_a_client
@sweeping
def test_single_revocations_that_were_due_once_do_not_count(store, clock):
    position = now_of(store)
    revoked_singly(store, range(3), position, expires_at=NOW + 1)
    clock.move(2 + LOG_KEEP_SECONDS)
    late = key_of(7, expires_at=NOW + 10 * LOG_KEEP_SECONDS)

    revoking.revoke_log_only(store, "tester", late, position, NOW)

    assert ("tester", late, True) in load_denylist(store)
