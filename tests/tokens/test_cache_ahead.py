"""The thread that follows a distant log, and what a fork leaves of it and of the cache."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from threading import Thread

from helpers.engines import wait_until
from helpers.processes import exit_code_of, forked
from helpers.remote_log import LAG, Scene
from helpers.support import one_store

pytestmark = one_store

SOON = 0.04


def thread_of(scene: Scene) -> Thread | None:
    return scene.cache.follower.thread


def test_the_thread_polls_before_a_request_has_to_and_evicts_what_others_revoked(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    other, looks = scene.known(), scene.log.looks
    wait_until(lambda: scene.log.looks >= looks + 4, "polls that no request asked for")
    scene.end(scene.elsewhere)

    wait_until(lambda: scene.cache.cached(other) and not scene.hits(), "the eviction of one token alone")


def test_the_thread_outlives_an_outage(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    scene.log.failures = 4
    wait_until(lambda: not scene.log.failures, "the end of the outage")

    wait_until(scene.hits, "a look after the outage")


def test_the_thread_outlives_a_fault_that_is_no_outage(followed):
    def fail() -> None:
        scene.log.before = lambda: None
        raise ValueError("hidden")

    scene = followed(lag=SOON, monotonic=time.monotonic)
    scene.log.before = fail
    wait_until(lambda: scene.log.before is not fail, "the fault")
    looks = scene.log.looks

    wait_until(lambda: scene.log.looks > looks, "a look after the fault")


def test_where_no_thread_may_run_a_request_asks_once_per_lag(followed, monkeypatch):
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    scene = followed()
    looks = scene.log.looks
    for _ in range(12):
        scene.ticks.move(LAG / 4)
        assert scene.accepts()

    assert scene.log.looks == looks + 3


def test_a_cache_that_nobody_uses_is_let_go_though_the_store_lives_on(followed):
    scene = followed(lag=SOON, monotonic=time.monotonic)
    thread, cache = thread_of(scene), weakref.ref(scene.cache)
    del scene.cache
    gc.collect()

    thread.join(10)

    assert cache() is None and not thread.is_alive()


# Forks


def in_child(work: Callable[[], object]) -> int:
    return exit_code_of(forked(work))


def test_a_child_accepts_what_its_parent_knew_within_the_lag_and_not_longer(followed):
    scene = followed()
    scene.end(scene.elsewhere)

    def work() -> bool:
        scene.ticks.move(LAG - 0.1)
        before = scene.accepts()
        scene.ticks.move(0.1)
        return before and not scene.accepts()

    assert in_child(work) == 0


def test_a_child_starts_a_thread_of_its_own_when_it_has_looked_itself(followed):
    scene = followed()
    assert thread_of(scene).is_alive()

    def work() -> bool:
        before = thread_of(scene)
        scene.ticks.move(LAG)
        return before is None and scene.accepts() and thread_of(scene).is_alive()

    assert in_child(work) == 0


def test_a_look_that_is_under_way_at_the_fork_is_not_waited_for(followed):
    scene = followed()
    with scene.look_under_way():
        scene.ticks.move(LAG)
        started = time.monotonic()

        assert in_child(scene.accepts) == 0
    assert time.monotonic() - started < 4  # less than what one waits for the look of another
