"""The cache of verified tokens while the store does not answer (L-03)."""

from __future__ import annotations

from contextlib import nullcontext
from math import inf
from threading import Timer

import pytest

from helpers.builders import HOUR
from helpers.changes import end_client
from helpers.remote_log import LAG, TIMEOUT
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.errors import InvalidToken
from oauth_mw.guard import Guard
from oauth_mw.rules import ANY_TOKEN
from oauth_mw.server import NO_SERVER
from oauth_mw.tokens.cache import POLL_SECONDS, RETRY_SECONDS, TokenCache

STORE_KINDS = ["memory"]

GRACE = 30


@pytest.fixture
def local(make):
    """A cache over a log whose generation is memory: it shows every revocation, and can always be read."""
    return lambda grace=0: make(local=True, grace=grace)


def is_refused(scene, text=""):
    try:
        return not scene.accepts(text)
    except StoreUnavailable:
        return True


def refusals(scene, *pauses):
    """Whether the token is refused after each pause."""
    found = []
    for seconds in pauses:
        scene.ticks.move(seconds)
        found.append(is_refused(scene))
    return found


@pytest.mark.parametrize("after", [0, 0.001, POLL_SECONDS])
def test_without_grace_nothing_is_accepted_that_may_have_been_revoked(local, after):
    scene = local()
    end_client(scene.elsewhere, "tester")
    scene.log.failures = inf
    scene.ticks.move(after)

    with pytest.raises(StoreUnavailable):
        scene.accepts()


def test_without_grace_an_outage_is_noticed_when_the_poll_is_due_and_not_before(local):
    scene = local()
    scene.log.failures = inf

    assert refusals(scene, POLL_SECONDS - 0.001, 0.001) == [False, True]


def test_grace_counts_from_the_start_of_the_last_successful_poll(local):
    scene = local(GRACE)
    scene.ticks.move(POLL_SECONDS)
    scene.log.before = lambda: scene.ticks.move(5)
    assert scene.accepts()
    scene.log.failures, scene.log.before = inf, lambda: None

    assert refusals(scene, GRACE - 5.001, 0.001) == [False, True]


def test_failed_polls_do_not_prolong_the_grace(local):
    scene = local(GRACE)
    scene.log.failures = inf

    assert refusals(scene, 0, *[1] * GRACE) == [False] * GRACE + [True]


@pytest.mark.parametrize(("before_expiry", "refused"), [(1, None), (0, InvalidToken), (-1, InvalidToken)])
def test_no_grace_outlasts_the_expiry(local, clock, before_expiry, refused):
    scene = local(GRACE)
    text = scene.issue()
    guard = Guard(scene.cache, clock, server=NO_SERVER)
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": f"Bearer {text}"}
    guard.check(request, ANY_TOKEN)
    scene.log.failures = inf
    scene.ticks.move(POLL_SECONDS)
    clock.move(HOUR - before_expiry)

    with pytest.raises(refused) if refused else nullcontext():
        guard.check(request, ANY_TOKEN)


def test_grace_is_for_cached_tokens_alone(local):
    scene = local(GRACE)
    text = scene.issue()
    scene.log.failures = inf
    scene.ticks.move(POLL_SECONDS)

    assert (is_refused(scene), is_refused(scene, text)) == (False, True)


def test_a_worker_that_starts_in_an_outage_accepts_nothing(local):
    scene = local()
    scene.log.failures = inf
    scene.cache = TokenCache(
        scene.tokens.read, scene.log, size=10, lag=1, grace=GRACE, timeout=1, monotonic=scene.ticks
    )

    with pytest.raises(StoreUnavailable):
        scene.accepts()


def test_what_is_revoked_during_the_grace_is_refused_once_the_store_answers(local):
    scene = local(GRACE)
    scene.log.failures = inf
    end_client(scene.elsewhere, "tester")
    during = refusals(scene, POLL_SECONDS)
    scene.log.failures = 0

    assert during + refusals(scene, RETRY_SECONDS) == [False, True]


def test_a_failed_store_is_read_again_after_a_while_and_not_before_and_the_cache_is_as_it_was(local):
    scene = local()
    scene.log.failures = inf
    assert refusals(scene, HOUR) == [True]
    scene.log.failures = 0

    assert refusals(scene, RETRY_SECONDS - 0.001, 0.001) == [True, False]
    assert scene.keeps()


# Polls that fail


@pytest.mark.parametrize("revoked", [False, True])
def test_one_lost_connection_is_no_outage_and_lets_no_revoked_token_pass(make, revoked):
    scene = make(grace=HOUR if revoked else 0)
    if revoked:
        scene.end(scene.elsewhere)
    scene.ticks.move(LAG)
    scene.log.failures = 1

    assert scene.accepts() is not revoked


def test_right_after_a_failure_no_request_polls(make):
    scene = make()
    scene.ticks.move(LAG)
    scene.log.failures = 2
    scene.cache.poll_early()
    scene.ticks.move(RETRY_SECONDS - 0.001)
    polls = scene.log.polls

    assert is_refused(scene) and scene.log.polls == polls


def test_after_a_pause_in_a_failing_poll_the_worker_polls_again_at_once(make):
    scene = make(grace=HOUR)
    scene.end(scene.elsewhere)
    scene.log.failures, scene.log.before = 2, lambda: scene.ticks.move(LAG)
    scene.cache.poll_early()

    assert not scene.accepts()


def test_a_failure_of_a_request_that_had_no_time_left_is_no_outage(make):
    scene = make(grace=HOUR)
    scene.log.failures = 2
    with RequestDeadline(0):
        scene.log.revoke_token(b"of another token")
    scene.end(scene.elsewhere)

    assert not scene.accepts()


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

    with scene.poll_under_way() as go_on:
        Timer(0.05 if waits else 1, go_on).start()
        assert scene.accepts() is not waits  # a request that waits for the poll learns that the token is revoked
