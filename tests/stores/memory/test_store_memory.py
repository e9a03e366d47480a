"""What only the store in memory does."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from oauth_mw import open_store
from oauth_mw.stores.memory import MemoryStore


@pytest.fixture
def store(clock):
    store = MemoryStore(clock, log_length=10)
    store.add_client(registered())
    return store


def positions_of(store, events):
    return [(end_client(store, "tester"), log_of(store).position)[1] for _ in range(events)]


def follow(store, position):
    return store.read_log(log_of(store).store_id, position)


def test_the_log_stays_bounded(store):  # L-04
    first, *_ = positions_of(store, 101)

    events = max(len(follow(store, first + step).events) for step in range(101))

    assert 5 <= events <= 10


def test_a_follower_reads_all_that_came_after_what_was_trimmed_or_must_begin_anew(store):
    positions = positions_of(store, 11)

    pages = [follow(store, position) for position in positions]

    assert [page.complete for page in pages] == [False] * 4 + [True] * 7
    assert [event.position for event in pages[4].events] == positions[5:]


def test_trimming_the_log_revives_no_token(store):
    key = issued(store)
    store.revoke_token(key)
    other = issued(store, number=1)
    positions_of(store, 30)

    assert [store.find_token(each).revoked for each in (key, other)] == [True, True]


def test_it_serves_one_process_and_nothing_outlives_it(store, clock, tmp_path):
    assert (store.single_process, store.url, list(tmp_path.iterdir())) == (True, "memory://", [])
    assert open_store("memory://", clock=clock).find_client("tester") is None
