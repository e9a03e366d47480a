"""One warning when the store is gone, and one when it is back."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from helpers.support import HandClock
from oauth_mw.events import StoreBack, StoreFailed
from oauth_mw.outages import Outages


@pytest.fixture
def seen():
    return []


@pytest.fixture
def ticks():
    return HandClock()


@pytest.fixture
def outages(seen, ticks):
    return Outages(lambda event, environ: seen.append(event), ticks)


def test_an_outage_is_two_events_however_long_it_lasts_and_whatever_fails(outages, seen, ticks):
    for number in range(1000):
        outages.failed(f"port {number}")
        ticks.move(1)
    outages.answered()
    outages.answered()

    assert seen == [StoreFailed("port 0"), StoreBack(1000)]


class Met(float):
    """A time at whose comparison two threads meet, unless one has to wait for the other."""

    both = threading.Barrier(2)

    def __ge__(self, other):
        with suppress(threading.BrokenBarrierError):
            self.both.wait(0.1)
        return super().__ge__(other)


def test_threads_that_fail_at_once_are_one_event(seen):
    outages = Outages(lambda event, environ: seen.append(event), lambda: Met(0))
    threads = [threading.Thread(target=outages.failed, args=("down",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [StoreFailed("down")]


def test_a_store_that_fails_now_and_then_is_two_events_a_minute(outages, seen, ticks):
    for _ in range(120):
        outages.failed("busy")
        outages.answered()
        ticks.move(1)

    assert seen == [StoreFailed("busy"), StoreBack(0)] * 2


def test_a_second_outage_soon_after_is_emitted_if_it_lasts(outages, seen, ticks):
    outages.failed("down")
    outages.answered()
    for _ in range(61):
        outages.failed("down again")
        ticks.move(1)

    assert seen == [StoreFailed("down"), StoreBack(0), StoreFailed("down again")]


def test_what_an_endpoint_lacks_is_not_back_because_others_have_what_they_need(outages, seen):
    outages.failed("the disk is full", "/oauth/token")
    outages.failed("the disk is full", "/oauth/revoke")
    outages.polled("")
    outages.answered("/oauth/introspect")
    assert len(seen) == 1
    outages.answered("/oauth/token")

    assert seen[1:] == [StoreBack(0)]


def test_what_the_guard_lacked_is_back_when_an_endpoint_has_what_it_needs(outages, seen):
    outages.polled("down")
    outages.answered("/oauth/token")

    assert seen == [StoreFailed("down"), StoreBack(0)]
