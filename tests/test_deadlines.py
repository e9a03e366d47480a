"""One deadline for all store calls of a request."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from oauth_mw.deadlines import RequestDeadline, deadline_in, uncounted

LONG, SHORT = 1000.0, 100.0


@pytest.fixture
def now(monkeypatch):
    """A monotonic clock that stands at 0; calling it moves it."""
    times = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: times[0])
    return lambda seconds: times.append(times.pop() + seconds)


def test_without_a_request_a_call_has_its_own_time(now):
    assert deadline_in(LONG) == LONG


def test_a_request_has_one_deadline_for_all_calls_from_the_first_one_on(now):
    with RequestDeadline(SHORT):
        now(30)
        first = deadline_in(LONG)
        now(30)
        assert (first, deadline_in(LONG)) == (30 + SHORT, 30 + SHORT)
        assert deadline_in(1) == 61  # a call may have less time


def test_time_that_is_not_counted_moves_the_deadline_and_has_none(now):
    with RequestDeadline(SHORT):
        deadline_in(LONG)
        with uncounted():
            now(200)
            inside = deadline_in(LONG)

        assert (inside, deadline_in(LONG)) == (200 + LONG, 200 + SHORT)


def test_the_next_request_has_a_time_of_its_own(now):
    with RequestDeadline(SHORT):
        deadline_in(LONG)
    now(200)
    with RequestDeadline(SHORT):
        assert deadline_in(LONG) == 200 + SHORT
    assert deadline_in(LONG) == 200 + LONG


def test_a_request_within_another_leaves_it_its_time(now):
    with RequestDeadline(SHORT):
        deadline_in(LONG)
        with RequestDeadline(LONG):
            inner = deadline_in(LONG)

        assert (inner, deadline_in(LONG)) == (LONG, SHORT)


def test_other_threads_are_not_hurried(now):
    with RequestDeadline(SHORT), ThreadPoolExecutor(1) as pool:
        assert pool.submit(deadline_in, LONG).result() == LONG


def test_requests_that_take_turns_in_one_thread_do_not_mix(now):
    # As greenlets do, each in a context of its own.
    one, other = copy_context(), copy_context()
    first = RequestDeadline(SHORT)
    one.run(first.__enter__)
    one.run(deadline_in, LONG)
    now(30)

    assert other.run(deadline_in, LONG) == 30 + LONG
