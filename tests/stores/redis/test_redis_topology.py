"""One thread at a time looks the servers up, and not too often."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from redis_calls import reason

from helpers.processes import exit_code_of, forked
from helpers.support import HandClock
from oauth_mw.errors import ConfigError, StoreUnavailable
from oauth_mw.stores.redis.network.topology import LOOKUP_SECONDS, Topology

LONG = 50


class Finder:
    """Returns a new object at each look-up, or raises ``error``, once ``may`` is set."""

    def __init__(self):
        self.asked = 0
        self.error = None
        self.begun, self.may = Event(), Event()
        self.may.set()

    def __call__(self, deadline):
        self.asked += 1
        self.begun.set()
        self.may.wait(10)
        if self.error:
            raise self.error
        return object()


@pytest.fixture
def finder():
    return Finder()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def refreshed(finder, clock):
    topology = Topology(finder, clock)
    return lambda stale=None, seconds=LONG: topology.refreshed(stale, clock() + seconds)


@pytest.fixture
def under_way(finder, refreshed):
    """A thread is looking up the servers until ``finder.may`` is set."""
    finder.may.clear()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(refreshed)
        finder.begun.wait(5)
        yield
        finder.may.set()


def test_a_stale_topology_is_looked_up_once_more(refreshed, finder, clock):
    first = refreshed()
    clock.move(LOOKUP_SECONDS)
    second = refreshed(first)

    assert second is not first
    clock.move(LOOKUP_SECONDS)
    assert refreshed(first) is second and finder.asked == 2


def test_the_next_look_up_waits_its_time(refreshed, finder):
    first = refreshed()

    assert [refreshed(first) for _ in range(5)] == [first] * 5
    assert finder.asked == 1


@pytest.mark.parametrize("error", [StoreUnavailable("no"), ConfigError("store", "no")], ids=["outage", "refusal"])
def test_a_failure_counts_for_all_until_the_next_look_up(refreshed, finder, clock, error):
    finder.error = error
    for _ in range(3):
        with pytest.raises(type(error), match="no"):
            refreshed()
    assert finder.asked == 1

    finder.error = None
    clock.move(LOOKUP_SECONDS)
    assert refreshed()


def test_the_time_until_the_next_look_up_begins_when_a_failed_one_ends(refreshed, finder, clock, under_way):
    finder.error = StoreUnavailable("no")
    clock.move(LOOKUP_SECONDS)
    finder.may.set()

    assert reason(refreshed) and reason(refreshed)
    assert finder.asked == 1


def test_a_call_without_time_left_does_not_count_as_a_look_up(refreshed, finder):
    assert reason(lambda: refreshed(seconds=0))

    assert refreshed() and finder.asked == 1


def test_exactly_one_of_several_threads_looks_up(refreshed, finder, clock):
    first = refreshed()
    clock.move(LOOKUP_SECONDS)
    with ThreadPoolExecutor(8) as pool:
        found = {each.result() for each in [pool.submit(refreshed, first) for _ in range(8)]}

    assert len(found) == 1 and finder.asked == 2


def test_a_thread_waits_for_another_until_its_deadline(refreshed, under_way):
    began = time.monotonic()

    assert "another thread" in reason(lambda: refreshed(seconds=0.1))
    assert time.monotonic() - began < 5


def test_a_fork_while_a_thread_looks_up_blocks_no_child(refreshed, under_way):
    child = forked(lambda: "not been looked up yet" in reason(refreshed))

    assert exit_code_of(child) == 0
