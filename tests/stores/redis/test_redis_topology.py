"""What is found out about the servers: by one thread at a time, and not too often."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from helpers.processes import exit_code_of, forked
from oauth_mw.errors import ConfigError, StoreUnavailable
from oauth_mw.stores.redis.network import topology as module
from oauth_mw.stores.redis.network.topology import Topology


class Finder:
    """Finds a new object each time, unless it is told what to raise; waits until it may."""

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
def topology(finder):
    return Topology(finder)


@pytest.fixture
def soon(monkeypatch):
    """Any look may follow another at once."""
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0)


def in_time():
    return time.monotonic() + 5


def test_what_is_doubted_is_found_out_anew(topology, soon):
    first = topology.refreshed(None, in_time())

    assert topology.refreshed(first, in_time()) is not first


def test_what_another_found_out_meanwhile_is_good_enough(topology, finder, soon):
    first = topology.refreshed(None, in_time())
    second = topology.refreshed(first, in_time())

    assert topology.refreshed(first, in_time()) is second
    assert finder.asked == 2


def test_nobody_asks_again_at_once(topology, finder):
    first = topology.refreshed(None, in_time())

    assert [topology.refreshed(first, in_time()) for _ in range(5)] == [first] * 5
    assert finder.asked == 1


@pytest.mark.parametrize(
    "error", [StoreUnavailable("no"), ConfigError("store", "no")], ids=lambda each: type(each).__name__
)
def test_a_failure_is_told_to_those_who_come_at_once(topology, finder, error):
    finder.error = error

    for _ in range(3):
        with pytest.raises(type(error), match="no"):
            topology.refreshed(None, in_time())
    assert finder.asked == 1


def test_after_a_long_look_in_vain_nobody_looks_again_at_once(topology, finder, monkeypatch):
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.3)
    finder.error = StoreUnavailable("no")
    finder.may.clear()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(_raises, lambda: topology.refreshed(None, in_time()))
        time.sleep(0.3)
        finder.may.set()
        assert looking.result()

    assert _raises(lambda: topology.refreshed(None, in_time()))
    assert finder.asked == 1


def test_after_a_failure_all_goes_on(topology, finder, soon):
    first = topology.refreshed(None, in_time())
    finder.error = StoreUnavailable("no")
    with pytest.raises(StoreUnavailable):
        topology.refreshed(first, in_time())
    finder.error = None

    assert topology.refreshed(first, in_time()) is topology.current


def test_who_has_no_time_left_does_not_spoil_it_for_others(topology, finder):
    with pytest.raises(StoreUnavailable):
        topology.refreshed(None, time.monotonic())

    assert topology.refreshed(None, in_time()) and finder.asked == 1


def test_many_that_doubt_the_same_ask_once(topology, finder, soon):
    first = topology.refreshed(None, in_time())
    finder.may.clear()
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(topology.refreshed, first, in_time()) for _ in range(8)]
        finder.may.set()

    assert {each.result() for each in found} == {topology.current}
    assert finder.asked == 2


def test_who_waits_for_another_waits_no_longer_than_he_may(topology, finder):
    finder.may.clear()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(topology.refreshed, None, in_time())
        finder.begun.wait(5)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            topology.refreshed(None, began + 0.1)
        waited = time.monotonic() - began
        finder.may.set()

    assert waited < 1


def test_a_fork_amid_a_look_holds_up_no_child(topology, finder):
    finder.may.clear()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(topology.refreshed, None, in_time())
        finder.begun.wait(5)
        child = forked(lambda: _raises(lambda: topology.refreshed(None, in_time())))
        code = exit_code_of(child)
        finder.may.set()

    # Its parent asked just now, and what came of that the child cannot know.
    assert code == 0


def _raises(call):
    began = time.monotonic()
    try:
        call()
    except StoreUnavailable:
        return time.monotonic() - began < 1
    return False
