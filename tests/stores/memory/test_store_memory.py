"""What only the store in memory does."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from oauth_mw import open_store
from oauth_mw.stores import memory


@pytest.fixture
def store(monkeypatch, clock):
    monkeypatch.setattr(memory, "LOG_LENGTH", 10)
    store = open_store("memory://", clock=clock)
    store.add_client(registered())
    return store


def positions_of(store, events):
    return [(end_client(store, "tester"), log_of(store).position)[1] for _ in range(events)]


def follow(store, position):
    return store.read_log(log_of(store).store_id, position)


def test_the_log_stays_bounded(store):  # L-04
    first, *_ = positions_of(store, 1)
    positions_of(store, 100)

    events = max(len(follow(store, first + step).events) for step in range(101))

    assert 5 <= events <= 10


def test_a_follower_that_missed_what_was_trimmed_is_told_to_forget(store):
    positions = positions_of(store, 11)

    told = [follow(store, position).complete for position in positions]

    assert told == [False] * 4 + [True] * 7


def test_a_follower_is_told_all_that_came_after_the_trimmed(store):
    positions = positions_of(store, 11)

    assert [event.position for event in follow(store, positions[4]).events] == positions[5:]


def test_trimming_the_log_revives_no_token(store):
    key = issued(store)
    store.revoke_token(key)
    other = issued(store, number=1)
    positions_of(store, 30)

    assert [store.find_token(each).revoked for each in (key, other)] == [True, True]


def test_it_serves_one_process_and_makes_no_file(store, tmp_path):
    assert (store.single_process, store.url, list(tmp_path.iterdir())) == (True, "memory://", [])


def test_what_is_stored_goes_with_the_store(store, clock):
    assert open_store("memory://", clock=clock).find_client("tester") is None
