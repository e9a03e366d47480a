"""The cache of verified tokens applies revocations of a distant log within the lag, and no request has to wait."""

from __future__ import annotations

import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Thread, Timer

import pytest

from helpers.builders import HOUR
from helpers.engines import wait_until
from helpers.processes import exit_code_of, forked
from helpers.remote_log import LAG
from helpers.support import one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline

pytestmark = one_store


def test_revocations_by_others_are_seen_when_the_lag_is_over_and_within_it_no_request_polls(make):
    scene = make()
    scene.end(scene.elsewhere)
    polls = scene.log.polls
    scene.ticks.move(LAG - 0.001)
    before = scene.accepts()
    assert (before, scene.hits(), scene.log.polls) == (True, True, polls)
    scene.ticks.move(0.001)

    assert not scene.accepts()


def test_the_lag_counts_from_the_start_of_the_poll(make):
    scene = make()
    scene.log.before = lambda: scene.ticks.move(3)
    scene.log.after = lambda: scene.end(scene.elsewhere)
    scene.cache.poll_early()
    scene.log.before = scene.log.after = lambda: None
    scene.ticks.move(LAG - 3)

    assert not scene.accepts()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_was_paused_in_a_poll_trusts_nothing_when_it_wakes(make, when):
    scene = make()
    setattr(scene.log, when, lambda: scene.ticks.move(HOUR))
    scene.cache.poll_early()

    assert not scene.hits()


# Early polls


@pytest.mark.parametrize(("taken", "until"), [(0, LAG / 2), (3, LAG / 2 - 3), (LAG, 0)])
def test_an_early_poll_is_due_half_the_lag_after_the_last_one_began(make, taken, until):
    scene = make()
    scene.log.after = lambda: scene.ticks.move(taken)

    assert scene.cache.poll_early() == pytest.approx(until, abs=0.001)


def test_an_outage_within_the_lag_is_not_noticed(make):
    scene = make()
    scene.ticks.move(LAG / 2)
    scene.log.failures = 10
    for _ in range(6):
        scene.ticks.move(scene.cache.poll_early())

    assert scene.hits()


# Revocations of this process


def test_an_own_revocation_is_applied_at_once_and_the_next_request_does_not_poll(make):
    scene = make()
    other = scene.known()
    scene.end(scene.log)
    polls = scene.log.polls

    assert scene.cache.cached(other) and scene.log.polls == polls
    assert not scene.accepts()


def test_an_own_revocation_whose_poll_failed_is_seen_by_the_next_request(make):
    scene = make()
    scene.log.failures = 2
    with RequestDeadline(0):
        scene.end(scene.log)

    assert not scene.accepts()


def test_a_poll_under_way_does_not_hide_an_own_revocation_and_later_ones_serve_all_again(make):
    scene = make(timeout=0.05)
    other = scene.known()
    with scene.poll_under_way():
        scene.end(scene.log)

    assert not scene.accepts()
    assert scene.accepts(other) and scene.cache.cached(other)


# A lag of 0


def test_without_a_lag_every_request_polls_and_sees_revocations_by_others(make):
    scene = make(lag=0)
    polls = scene.log.polls
    accepted = [scene.accepts() for _ in range(3)]

    assert (accepted, scene.log.polls - polls) == ([True] * 3, 3)
    scene.end(scene.elsewhere)
    assert not scene.accepts()
    assert scene.cache.follower is None


def test_without_a_lag_no_poll_serves_a_request_that_arrived_after_it_began(make):
    scene = make(lag=0)
    with scene.poll_under_way() as go_on:
        scene.end(scene.elsewhere)
        Timer(0.05, go_on).start()
        assert not scene.accepts()


def test_without_a_lag_threads_share_a_poll_that_began_after_they_arrived(make):
    scene = make(lag=0)
    polls = scene.log.polls
    with ThreadPoolExecutor(8) as pool, scene.poll_under_way() as go_on:
        before = len(scene.ticks.reads)
        answers = [pool.submit(scene.accepts) for _ in range(8)]
        # A request reads the clock three times before it waits for a poll.
        wait_until(lambda: len(scene.ticks.reads) == before + 3 * 8, "8 threads that wait for a poll")
        go_on()

    assert [answer.result() for answer in answers] == [True] * 8
    assert scene.log.polls - polls == 2


# The thread that polls

SOON = 0.04


def test_the_thread_polls_before_a_request_has_to_and_evicts_what_others_revoked(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    other, polls = scene.known(), scene.log.polls
    wait_until(lambda: scene.log.polls >= polls + 4, "polls without a request")
    scene.end(scene.elsewhere)

    wait_until(lambda: scene.cache.cached(other) and not scene.hits(), "the eviction of one token alone")


@pytest.mark.parametrize("fault", [StoreUnavailable("down"), ValueError("hidden")], ids=["an outage", "another"])
def test_the_thread_outlives_a_fault(followed, fault):
    def fail() -> None:
        faults.pop()
        raise fault

    scene, faults = followed(lag=SOON, monotonic=time.monotonic), [1, 2]
    scene.log.before = lambda: fail() if faults else None
    wait_until(lambda: not faults, "the fault")
    polls = scene.log.polls

    wait_until(lambda: scene.log.polls > polls and scene.hits(), "a poll after the fault")


def test_where_no_thread_may_run_requests_poll_once_per_lag(followed, monkeypatch):
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    scene = followed()
    polls = scene.log.polls
    for _ in range(12):
        scene.ticks.move(LAG / 4)
        assert scene.accepts()

    assert scene.log.polls == polls + 3


def test_an_unused_cache_is_freed_although_its_store_is_used(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    thread, cache = scene.cache.follower.thread, weakref.ref(scene.cache)
    del scene.cache
    gc.collect()

    thread.join(10)

    assert cache() is None and not thread.is_alive()


# Forks


def test_a_child_accepts_cached_tokens_within_the_lag_and_not_longer(followed):
    scene = followed()
    scene.end(scene.elsewhere)

    def work() -> bool:
        scene.ticks.move(LAG - 0.1)
        before = scene.accepts()
        scene.ticks.move(0.1)
        return before and not scene.accepts()

    assert exit_code_of(forked(work)) == 0


def test_a_child_starts_a_thread_of_its_own_when_it_has_polled(followed):
    scene = followed()
    assert scene.cache.follower.thread.is_alive()

    def work() -> bool:
        before = scene.cache.follower.thread
        scene.ticks.move(LAG)
        return before is None and scene.accepts() and scene.cache.follower.thread.is_alive()

    assert exit_code_of(forked(work)) == 0


def test_a_child_does_not_wait_for_a_poll_that_was_under_way_at_the_fork(followed):
    scene = followed()
    with scene.poll_under_way():
        scene.ticks.move(LAG)

        assert exit_code_of(forked(scene.accepts)) == 0
