"""What a follower reads, and what "issued before" means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import is_dead, issued, key_of, log_of, registered, token_of
from helpers.changes import end_client, remove_secret
from oauth_mw import open_store
from oauth_mw.model import Revocation


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered())
    store.add_client(registered("other"))


def events_since(store, page):
    following = store.read_log(page.store_id, page.position)
    assert following.complete
    return [event[1:3] for event in following.events]


# The log


def test_who_knows_nothing_is_told_to_forget_and_where_the_log_stands(store):
    end_client(store, "tester")

    page = log_of(store)

    assert (page.complete, list(page.events)) == (False, [])
    assert page.position == store.find_client("tester").revoked_before


def test_a_quiet_log_is_complete(store):
    page = log_of(store)

    assert store.read_log(page.store_id, page.position) == page._replace(complete=True)


def test_each_way_to_end_tokens_is_one_event(store):
    key, before = issued(store), log_of(store)

    store.revoke_token(key)
    end_client(store, "tester")
    end_client(store, "tester", disable=True)
    remove_secret(store, "tester", store.find_client("tester").secrets[0].secret_id, and_tokens=True)
    end_client(store, "other", delete=True)

    tester = ("tester", None)
    assert events_since(store, before) == [("tester", key), tester, tester, tester, ("other", None)]


def test_what_ends_no_token_is_no_event(store):
    issued(store)
    before = log_of(store)

    store.add_client(registered("third"))
    store.update_client("tester", lambda client: replace(client, scopes=("less",), lifetime=1))
    remove_secret(store, "tester", store.find_client("tester").secrets[0].secret_id)
    store.sweep(2**32 - 1, 10)

    assert log_of(store) == before


def test_a_follower_is_told_what_it_has_not_seen_and_nothing_else(store):
    end_client(store, "tester")
    seen = log_of(store)
    end_client(store, "other")

    page = store.read_log(seen.store_id, seen.position)

    assert page == (seen.store_id, page.position, [Revocation(page.position, "other", None)], True)


def test_events_are_told_in_the_order_of_their_positions(store, clock):
    before = log_of(store)
    for step in (5, -9, 7, -30):
        end_client(store, "tester")
        clock.move(step)

    page = store.read_log(before.store_id, before.position)

    positions = [event.position for event in page.events]
    assert positions == sorted(set(positions)) and positions[-1] == page.position


def test_another_store_is_never_followed_on(store):
    end_client(store, "tester")

    page = store.read_log("another store", log_of(store).position)

    assert (page.complete, list(page.events)) == (False, [])


def test_two_stores_have_two_ids(store):
    other = open_store("memory://")

    assert log_of(store).store_id != log_of(other).store_id


def test_a_log_that_stands_behind_its_follower_is_another_one(store):
    end_client(store, "tester")
    page = log_of(store)

    assert not store.read_log(page.store_id, page.position + 1).complete


def test_a_follower_in_this_process_learns_of_every_event_at_once(store):
    key, told, learned = issued(store), [], []
    store.on_revocation(lambda: told.append(True))

    for end in (lambda: store.revoke_token(key), lambda: end_client(store, "tester")):
        before = store.generation(), len(told)
        end()
        learned.append(store.generation() != before[0] if store.immediate else len(told) > before[1])

    assert learned == [True, True]


# Issued before


ENDS = {
    "all tokens ended": lambda store: end_client(store, "tester"),
    "disabled": lambda store: end_client(store, "tester", disable=True),
    "secret revoked with its tokens": lambda store: remove_secret(
        store, "tester", store.find_client("tester").secrets[0].secret_id, and_tokens=True
    ),
}
every_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


@every_end
def test_a_token_issued_before_is_dead_and_one_issued_after_lives(store, end):  # within one second: no clock moves
    before = issued(store, number=1)
    end(store)
    after = issued(store, number=2)

    assert [is_dead(store, before), is_dead(store, after)] == [True, False]


@every_end
@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_before_and_after_do_not_depend_on_the_clock(store, clock, end, seconds):
    before = issued(store, number=1)
    clock.move(seconds)
    end(store)
    clock.move(-2 * seconds)
    after = issued(store, number=2)

    assert [is_dead(store, before), is_dead(store, after)] == [True, False]


@every_end
def test_a_token_whose_request_was_under_way_is_dead(store, end):
    client = store.find_client("tester")
    end(store)

    store.add_token(key_of(), token_of(client))

    assert is_dead(store, key_of())


def test_a_token_whose_request_was_under_way_when_the_client_was_deleted_is_dead(store):
    client = store.find_client("tester")
    end_client(store, "tester", delete=True)

    store.add_token(key_of(), token_of(client))

    assert is_dead(store, key_of())


@every_end
def test_the_tokens_of_other_clients_live_on(store, end):
    key = issued(store, "other")

    end(store)

    assert not is_dead(store, key)


def test_an_event_of_another_client_does_not_save_a_token_under_way(store):
    client = store.find_client("tester")
    end_client(store, "tester")
    end_client(store, "other")

    store.add_token(key_of(), token_of(client))

    assert is_dead(store, key_of())


def test_enabling_a_client_revives_no_token(store):
    key = issued(store)
    end_client(store, "tester", disable=True)

    store.update_client("tester", lambda client: replace(client, enabled=True))

    assert is_dead(store, key)
    assert not is_dead(store, issued(store, number=1))


def test_tokens_stay_dead_through_every_later_event(store):
    key = issued(store)
    for _ in range(3):
        end_client(store, "tester")
        end_client(store, "other")

    assert is_dead(store, key)
