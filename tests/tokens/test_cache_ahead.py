"""The thread that follows a distant log, and what a fork leaves of it and of the cache."""

from __future__ import annotations

import gc
import time
import weakref
from threading import Thread

import pytest

from helpers.engines import wait_until
from helpers.processes import exit_code_of, forked
from helpers.remote_log import LAG
from helpers.support import one_store
from oauth_mw import StoreUnavailable

pytestmark = one_store

SOON = 0.04


def test_the_thread_polls_before_a_request_has_to_and_evicts_what_others_revoked(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    other, looks = scene.known(), scene.log.looks
    wait_until(lambda: scene.log.looks >= looks + 4, "polls without a request")
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
    looks = scene.log.looks

    wait_until(lambda: scene.log.looks > looks and scene.hits(), "a poll after the fault")


def test_where_no_thread_may_run_requests_poll_once_per_lag(followed, monkeypatch):
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    scene = followed()
    looks = scene.log.looks
    for _ in range(12):
        scene.ticks.move(LAG / 4)
        assert scene.accepts()

    assert scene.log.looks == looks + 3


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
    with scene.look_under_way():
        scene.ticks.move(LAG)

        assert exit_code_of(forked(scene.accepts)) == 0
