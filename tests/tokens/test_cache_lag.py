"""The cache of verified tokens applies revocations of a distant log within the lag, and no request has to wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from helpers.builders import HOUR
from helpers.engines import wait_until
from helpers.remote_log import LAG
from helpers.support import one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline

pytestmark = one_store


def test_what_another_revoked_is_met_when_the_lag_is_over_and_within_it_no_request_polls(make):
    scene = make()
    scene.end(scene.elsewhere)
    looks = scene.log.looks
    scene.ticks.move(LAG - 0.001)
    before = scene.accepts()
    assert (before, scene.hits(), scene.log.looks) == (True, True, looks)
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


def test_a_worker_that_was_paused_polls_before_it_answers(make):
    scene = make(grace=HOUR)
    scene.end(scene.elsewhere)
    scene.ticks.move(100)

    assert not scene.accepts()


# Early polls


def test_early_polls_save_requests_a_poll(make):
    scene = make()
    for _ in range(5):
        scene.ticks.move(scene.cache.poll_early())
    looks = scene.log.looks

    assert scene.hits() and scene.log.looks == looks


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


def test_an_outage_is_met_when_the_lag_is_over_and_not_before(make):
    scene = make()
    scene.ticks.move(LAG - 1)
    scene.log.failures = 1000
    scene.cache.poll_early()
    before = scene.hits()
    scene.ticks.move(1)

    with pytest.raises(StoreUnavailable):
        scene.accepts()
    assert before


# Revocations of this process


def test_an_own_revocation_is_applied_at_once_and_the_next_request_does_not_poll(make):
    scene = make()
    other = scene.known()
    scene.end(scene.log)
    looks = scene.log.looks

    assert scene.cache.cached(other) and scene.log.looks == looks
    assert not scene.accepts()


def test_an_own_revocation_whose_poll_failed_is_met_by_the_next_request(make):
    scene = make()
    scene.log.failures = 2
    with RequestDeadline(0):
        scene.end(scene.log)

    assert not scene.accepts()


def test_a_poll_under_way_does_not_hide_an_own_revocation_and_later_ones_serve_all_again(make):
    scene = make(timeout=0.05)
    other = scene.known()
    with scene.look_under_way():
        scene.end(scene.log)

    assert not scene.accepts()
    assert scene.accepts(other) and scene.cache.cached(other)


# A lag of 0


def test_without_a_lag_every_request_polls_and_meets_what_another_revoked(make):
    scene = make(lag=0)
    looks = scene.log.looks
    accepted = [scene.accepts() for _ in range(3)]

    assert (accepted, scene.log.looks - looks) == ([True] * 3, 3)
    scene.end(scene.elsewhere)
    assert not scene.accepts()
    assert scene.cache.follower is None


def test_without_a_lag_no_poll_serves_a_request_that_arrived_after_it_began(make):
    scene = make(lag=0)
    with scene.look_under_way() as go_on:
        scene.end(scene.elsewhere)
        Timer(0.05, go_on).start()
        assert not scene.accepts()


def test_without_a_lag_threads_share_a_poll_that_began_after_they_arrived(make):
    scene = make(lag=0)
    looks = scene.log.looks
    with ThreadPoolExecutor(8) as pool, scene.look_under_way() as go_on:
        before = len(scene.ticks.reads)
        answers = [pool.submit(scene.accepts) for _ in range(8)]
        # A request reads the clock three times before it waits for a poll.
        wait_until(lambda: len(scene.ticks.reads) == before + 3 * 8, "8 threads that wait for a poll")
        go_on()

    assert [answer.result() for answer in answers] == [True] * 8
    assert scene.log.looks - looks == 2
