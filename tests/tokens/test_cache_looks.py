"""Looks at a distant log that fail, are waited for, or are shared; with a lag of 0, for each request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from helpers.builders import HOUR
from helpers.engines import wait_until
from helpers.remote_log import LAG, TIMEOUT, Scene
from helpers.support import HandClock, one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.protocols import Store
from oauth_mw.tokens.cache import RETRY_SECONDS
from oauth_mw.tokens.follower import LogFollower

pytestmark = one_store


@pytest.fixture
def make(store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """A scene in which nobody looks ahead but by hand."""
    monkeypatch.setattr(LogFollower, "start", lambda self: None)
    return lambda **options: Scene(store, clock, **options)


# Failures


def test_one_lost_connection_is_no_outage(make):
    scene = make()
    scene.ticks.move(LAG)
    scene.log.failures = 1

    assert scene.accepts()


def test_one_lost_connection_lets_nobody_pass_who_was_ended(make):
    scene = make(grace=HOUR)
    scene.end(scene.elsewhere)
    scene.ticks.move(LAG)
    scene.log.failures = 1

    assert not scene.accepts()


def test_right_after_a_failure_nobody_asks(make):
    scene = make()
    scene.ticks.move(LAG)
    scene.log.failures = 2
    scene.cache.poll_early()
    scene.ticks.move(RETRY_SECONDS - 0.001)
    looks = scene.log.looks

    with pytest.raises(StoreUnavailable):
        scene.accepts()
    assert scene.log.looks == looks


def test_who_was_paused_over_a_failing_look_asks_again_at_once(make):
    scene = make(grace=HOUR)
    scene.end(scene.elsewhere)
    scene.log.failures, scene.log.before = 2, lambda: scene.ticks.move(LAG)
    scene.cache.poll_early()

    assert not scene.accepts()


def test_who_had_no_time_left_has_not_found_an_outage(make):
    scene = make(grace=HOUR)
    scene.log.failures = 2
    with RequestDeadline(0):
        scene.cache._poll_own_revocation()
    scene.end(scene.elsewhere)

    assert not scene.accepts()


# Waiting for the look of another


def test_in_a_known_outage_nobody_waits_for_the_look_of_another(make):
    scene = make(grace=HOUR)
    scene.log.failures = 2
    scene.ticks.move(LAG)
    scene.cache.poll_early()
    scene.end(scene.elsewhere)
    scene.ticks.move(RETRY_SECONDS)

    with scene.look_under_way():
        assert scene.accepts()


def test_what_was_known_of_an_outage_is_forgotten_in_a_pause(make):
    scene = make(grace=HOUR)
    scene.log.failures = 2
    scene.ticks.move(LAG)
    scene.cache.poll_early()
    scene.end(scene.elsewhere)
    scene.ticks.move(2 * TIMEOUT + RETRY_SECONDS)

    with scene.look_under_way() as go_on:
        Timer(0.05, go_on).start()
        assert not scene.accepts()


# A lag of 0


def test_without_a_lag_every_request_asks(make):
    scene = make(lag=0)
    looks = scene.log.looks
    accepted = [scene.accepts() for _ in range(3)]

    assert (accepted, scene.log.looks - looks) == ([True] * 3, 3)


def test_without_a_lag_the_next_request_meets_what_another_ended(make):
    scene = make(lag=0)
    scene.end(scene.elsewhere)

    assert not scene.accepts()


def test_without_a_lag_no_look_serves_who_came_after_it_began(make):
    scene = make(lag=0)
    with scene.look_under_way() as go_on:
        scene.end(scene.elsewhere)
        Timer(0.05, go_on).start()
        assert not scene.accepts()


def test_without_a_lag_threads_share_a_look_that_began_after_they_came(make):
    scene = make(lag=0)
    looks = scene.log.looks
    with ThreadPoolExecutor(8) as pool, scene.look_under_way() as go_on:
        come, poll = [], scene.cache._poll
        scene.cache._poll = lambda *what, **how: (come.append(what), poll(*what, **how))
        answers = [pool.submit(scene.accepts) for _ in range(8)]
        wait_until(lambda: len(come) == 8, "8 threads that want a look")
        go_on()

    assert [answer.result() for answer in answers] == [True] * 8
    assert scene.log.looks - looks == 2


def test_without_a_lag_nobody_looks_ahead(make):
    assert make(lag=0).cache.follower is None
