"""Looks at a distant log that fail, are waited for, or are shared; with a lag of 0, for each request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from helpers.builders import HOUR
from helpers.engines import wait_until
from helpers.remote_log import LAG, TIMEOUT
from helpers.support import one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.tokens.cache import RETRY_SECONDS

pytestmark = one_store


# Failures


@pytest.mark.parametrize("revoked", [False, True])
def test_one_lost_connection_is_no_outage_and_lets_no_revoked_token_pass(make, revoked):
    scene = make(grace=HOUR if revoked else 0)
    if revoked:
        scene.end(scene.elsewhere)
    scene.ticks.move(LAG)
    scene.log.failures = 1

    assert scene.accepts() is not revoked


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


@pytest.mark.parametrize(
    ("taken", "pause", "waits"),
    [
        pytest.param(TIMEOUT / 4, RETRY_SECONDS, True, id="polls fail at once"),
        pytest.param(TIMEOUT / 2, RETRY_SECONDS, False, id="polls hang"),
        pytest.param(TIMEOUT / 2, RETRY_SECONDS + TIMEOUT * 3 / 2, True, id="polls hung before a pause"),
    ],
)
def test_only_where_polls_hang_no_request_waits_for_the_poll_of_another(make, taken, pause, waits):
    scene = make(grace=HOUR)
    scene.ticks.move(LAG)
    scene.log.failures, scene.log.before = 2, lambda: scene.ticks.move(taken / 2)  # a poll tries twice
    scene.cache.poll_early()
    scene.log.before = lambda: None
    scene.end(scene.elsewhere)
    scene.ticks.move(pause)

    with scene.look_under_way() as go_on:
        if waits:
            Timer(0.05, go_on).start()
        assert scene.accepts() is not waits


# A lag of 0


def test_without_a_lag_every_request_polls_and_meets_what_another_revoked(make):
    scene = make(lag=0)
    looks = scene.log.looks
    accepted = [scene.accepts() for _ in range(3)]

    assert (accepted, scene.log.looks - looks) == ([True] * 3, 3)
    scene.end(scene.elsewhere)
    assert not scene.accepts()
    assert scene.cache.follower is None


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
