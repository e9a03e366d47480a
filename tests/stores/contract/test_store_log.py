"""What a follower reads, and what "issued before" means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import NOW, events_of, is_dead, issued, key_of, log_of, registered, token_of
from helpers.changes import ENDS, end_client, remove_first_secret
from oauth_mw import open_store
from oauth_mw.model import EVICTION, LOG_KEEP_SECONDS, Revocation
from oauth_mw.tokens.denylist import load_denylist

pytestmark = pytest.mark.usefixtures("tester", "other")


def events_since(store, page):
    following = store.read_log(page.store_id, page.position)
    assert following.complete
    return [event[1:3] for event in following.events]


# The log


def test_a_new_follower_must_forget_and_reads_where_the_log_ends(store):
    end_client(store, "tester")

    page = log_of(store)

    assert (page.complete, page.events, page.position) == (False, [], store.find_client("tester").revoked_before)
    assert store.read_log(page.store_id, page.position) == page._replace(complete=True)


def test_each_way_to_revoke_tokens_is_one_event(store):
    key, before = issued(store), log_of(store)

    store.revoke_token(key)
    end_client(store, "tester")
    end_client(store, "tester", disable=True)
    remove_first_secret(store, and_tokens=True)
    end_client(store, "other", delete=True)

    tester = ("tester", None)
    assert events_since(store, before) == [("tester", key), tester, tester, tester, ("other", None)]


def test_a_change_that_revokes_no_token_is_no_event(store):
    issued(store)
    before = log_of(store)

    store.add_client(registered("third"))
    store.update_client("tester", lambda client: replace(client, scopes=("less",), lifetime=1))
    remove_first_secret(store)
    store.sweep(2**32 - 1, 10)

    assert log_of(store) == before


def test_a_change_that_evicts_tokens_is_an_event_that_revokes_none(store):
    key, jwt, before = issued(store), key_of(1), store.find_verifiers("tester").revoked_before
    seen = log_of(store)

    changed = store.update_client("tester", lambda client: replace(client, lifetime=1), evict_tokens=True)

    assert events_since(store, seen) == [("tester", EVICTION)]
    assert changed == store.find_client("tester")
    assert (changed.lifetime, changed.revoked_before) == (1, before)
    assert not is_dead(store, key)
    assert not load_denylist(store, lambda: NOW).is_revoked(jwt, "tester", before)
    assert events_of(store) == []


def test_a_change_that_revokes_tokens_needs_no_event_that_evicts_them(store):
    key, seen = issued(store), log_of(store)

    store.update_client("tester", lambda client: client, revoke_tokens=True, evict_tokens=True)

    assert events_since(store, seen) == [("tester", None)]
    assert is_dead(store, key)


def test_an_event_that_evicts_is_swept_like_others(store, clock):
    store.update_client("tester", lambda client: client, evict_tokens=True)
    seen = log_of(store)
    clock.move(LOG_KEEP_SECONDS + 2)

    end_client(store, "other")
    end_client(store, "other")

    if not store.single_process:
        assert [event.key for page in store.copyable().read_events(0) for event in page] == [None, None]
    assert store.read_log(seen.store_id, seen.position).complete


def test_a_follower_reads_what_it_has_not_seen_and_nothing_else(store):
    end_client(store, "tester")
    seen = log_of(store)
    end_client(store, "other")

    page = store.read_log(seen.store_id, seen.position)

    assert page == (seen.store_id, page.position, [Revocation(page.position, "other", None)], True)


def test_events_are_read_in_the_order_of_their_positions(store, clock):
    before = log_of(store)
    for step in (5, -9, 7, -30):
        end_client(store, "tester")
        clock.move(step)

    page = store.read_log(before.store_id, before.position)

    positions = [event.position for event in page.events]
    assert positions == sorted(set(positions)) and positions[-1] == page.position


def test_a_log_that_is_another_one_or_ends_earlier_is_not_followed(store):
    end_client(store, "tester")
    page, other = log_of(store), log_of(open_store("memory://"))

    assert page.store_id != other.store_id
    for seen in (("another store", page.position), (page.store_id, page.position + 1)):
        answer = store.read_log(*seen)
        assert (answer.complete, answer.events) == (False, [])


def test_a_follower_in_this_process_learns_of_every_event_at_once(store):
    key, calls, learned = issued(store), [], []
    store.on_revocation(lambda: calls.append(True))

    for end in (lambda: store.revoke_token(key), lambda: end_client(store, "tester")):
        before = store.generation(), len(calls)
        end()
        learned.append(store.generation() != before[0] if store.generation_shows_all else len(calls) > before[1])

    assert learned == [True, True]


# Positions (L-05)


def position_after_an_event(store):
    end_client(store, "tester")
    return log_of(store).position


@pytest.mark.parametrize("seconds", [0, -0.5, -1_799_999_999], ids=["stands still", "goes back", "goes far back"])
def test_positions_are_microseconds_and_grow_while_the_clock(store, clock, seconds):
    first = position_after_an_event(store)
    assert first == int(clock() * 1_000_000)
    clock.move(seconds)

    assert [position_after_an_event(store) - first for _ in range(3)] == [1, 2, 3]


def test_positions_follow_the_clock_again_once_it_has_caught_up(store, clock):
    position_after_an_event(store)
    clock.move(-10)
    position_after_an_event(store)
    clock.move(11)

    assert position_after_an_event(store) == int(clock() * 1_000_000)


def test_a_single_revocation_takes_the_next_position_too(store, clock):
    first = position_after_an_event(store)
    clock.move(-60)

    store.revoke_token(issued(store))

    assert log_of(store).position == first + 1


def test_a_clock_far_ahead_does_no_harm(store, clock):
    clock.move(253_402_300_800)  # into the year 10,000

    assert position_after_an_event(store) == int(clock() * 1_000_000)


# Issued before


@pytest.mark.parametrize("end", ["end all", "disable", "remove secret"])
@pytest.mark.parametrize("seconds", [0, -3600, 3600], ids=["", "behind", "ahead"])
def test_whatever_the_clock_says_a_token_issued_before_is_dead_and_one_issued_after_lives(store, clock, end, seconds):
    before, other = issued(store, number=1), issued(store, "other", number=3)
    clock.move(seconds)
    ENDS[end](store)
    clock.move(-2 * seconds)
    after = issued(store, number=2)

    assert [is_dead(store, key) for key in (before, after, other)] == [True, False, False]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_token_whose_request_was_under_way_is_dead(store, end):
    client = store.find_client("tester")
    end(store)
    end_client(store, "other")

    store.add_token(key_of(), token_of(client))

    assert is_dead(store, key_of())


def test_a_revoked_token_stays_dead_through_every_later_change(store):
    key = issued(store)
    for _ in range(2):
        end_client(store, "tester", disable=True)
        end_client(store, "other")

    store.update_client("tester", lambda client: replace(client, enabled=True))

    assert [is_dead(store, key), is_dead(store, issued(store, number=1))] == [True, False]
