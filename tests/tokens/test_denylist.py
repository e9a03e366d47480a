"""What ended early, in memory."""

from __future__ import annotations

import sys
from copy import deepcopy
from types import SimpleNamespace

import pytest

from helpers.support import HandClock
from oauth_mw.model import LOG_KEEP_SECONDS, DenylistPage, LogPage, Revocation
from oauth_mw.tokens import denylist as module
from oauth_mw.tokens.denylist import Denylist

NOW = 1_800_000_000
EMPTY = LogPage("a store", 0, (), False)
HEAD = NOW * 1_000_000  # where the log stands


def key(number: int, expires_at: int = NOW + 60) -> bytes:
    return expires_at.to_bytes(4) + number.to_bytes(28)


@pytest.fixture
def denylist(clock):
    return Denylist(clock, clock)


def load(denylist, events):
    log = SimpleNamespace(read_denylist=lambda after: DenylistPage(events, None), read_log=lambda *after: EMPTY)
    denylist.load(log, EMPTY, 60)
    denylist.settle()


@pytest.mark.parametrize("learn", [load, Denylist.apply], ids=["read whole", "followed"])
def test_what_the_log_names_is_revoked_and_nothing_else(denylist, learn):
    assert not denylist.is_revoked(key(1), "x", 0)

    learn(denylist, [Revocation(5, "x", key(1), True), Revocation(7, "y"), Revocation(5, "y")])

    assert [denylist.is_revoked(key(number), "x", 9) for number in (1, 2)] == [True, False]
    # Of a client what was issued before the last event, in whatever order they come.
    assert [denylist.is_revoked(key(3), "y", position) for position in (4, 6, 7, 8)] == [True, True, False, False]
    assert not denylist.is_revoked(key(3), "z", 4)


def test_what_comes_twice_counts_once_and_a_restart_forgets_it(denylist):
    denylist.apply([Revocation(5, "x", key(1), True)] * 2 + [Revocation(6, "y")])
    assert len(denylist) == 1

    load(denylist, [])

    assert not denylist.is_revoked(key(1), "x", 0) and not denylist.is_revoked(key(2), "y", 0)


@pytest.mark.parametrize(("after", "kept"), [(LOG_KEEP_SECONDS, 1), (LOG_KEEP_SECONDS + 1, 0)])
def test_a_token_is_forgotten_when_no_clock_can_accept_it_any_more(denylist, clock, after, kept):
    load(denylist, [Revocation(HEAD, "x", key(1, NOW), True)])

    clock.move(after)
    denylist.apply([])

    assert len(denylist) == kept


def test_what_was_forgotten_leaves_those_that_expire_later(denylist, clock):
    denylist.apply([Revocation(HEAD, "x", key(number, NOW + number), True) for number in (3, 1, 2)])

    clock.move(2 + LOG_KEEP_SECONDS)
    denylist.apply([])

    assert [denylist.is_revoked(key(number, NOW + number), "x", 9) for number in (1, 2, 3)] == [False, True, True]


def test_what_a_row_tells_is_not_kept_here(denylist):
    denylist.apply([Revocation(5, "x", key(1))])

    assert (len(denylist), denylist.is_revoked(key(1), "x", 9)) == (0, False)


def test_an_end_of_all_takes_the_place_of_the_single_ones(denylist):
    denylist.apply(
        [Revocation(number, "x", key(number), True) for number in range(1, 4)] + [Revocation(4, "y", key(9), True)]
    )

    denylist.apply([Revocation(5, "x")])

    assert len(denylist) == 1
    assert denylist.is_revoked(key(1), "x", 3) and denylist.is_revoked(key(9), "y", 9)


# As often as a client likes


def test_what_ended_with_all_of_a_client_takes_no_room(denylist):
    denylist.apply([Revocation(0, "y", key(number), True) for number in range(100)])
    for turn in range(1, 50):
        denylist.apply(
            [Revocation(turn, "x", key(1000 * turn + number), True) for number in range(10)] + [Revocation(turn, "x")]
        )

    assert len(denylist) == 100 and len(denylist._entries.due) <= 200


def test_the_end_of_a_client_seldom_makes_work_for_all_others(denylist, monkeypatch):
    made = []
    monkeypatch.setattr(module, "heapify", made.append)
    denylist.apply([Revocation(0, "y", key(number), True) for number in range(100)])

    for turn in range(1, 90):
        denylist.apply([Revocation(turn, "x", key(1000 + turn), True), Revocation(turn, "x")])

    assert made == []


def test_a_fork_may_come_between_any_two_steps(denylist, clock):
    """The child is told again what its parent was about to learn."""
    far = NOW + 10 * LOG_KEEP_SECONDS
    told = [
        [Revocation(HEAD, "x", key(1, NOW - LOG_KEEP_SECONDS), True), Revocation(HEAD + 2, "y", key(2, far), True)],
        [Revocation(HEAD + 3, "y"), Revocation(HEAD + 4, "x", key(3, far), True)],
        [Revocation(HEAD + 5, "y", key(4, far), True)],
    ]
    forks = []

    def look(frame, event, argument):
        if frame.f_code.co_filename == module.__file__:
            forks.append((told.index(events), deepcopy(denylist)))
            return look
        return None

    for events in told:
        clock.move(2 + LOG_KEEP_SECONDS)
        sys.settrace(look)
        denylist.apply(events)
        sys.settrace(None)
    for number, child in forks:
        child._clock = child._monotonic = clock
        for events in told[number:]:
            child.apply(events)
    clock.move(2 + LOG_KEEP_SECONDS)
    for _, child in forks:
        child.apply([])
    clock_after = [(len(child), child.is_revoked(key(2, far), "y", 2)) for _, child in forks]
    clock.move(20 * LOG_KEEP_SECONDS)
    for _, child in forks:
        child.apply([])

    assert len(forks) > 30 and set(clock_after) == {(2, True)}
    assert {len(child) for _, child in forks} == {0}


# A clock that is wrong for a while


@pytest.mark.parametrize("hours", [25, 1000, 100_000])
@pytest.mark.parametrize("lifetime", [60, 3600, 30 * 24 * 3600])
def test_a_clock_that_was_ahead_makes_no_token_good_again(hours, lifetime):
    clock, monotonic = HandClock(), HandClock()
    denylist, ended = Denylist(clock, monotonic), key(1, NOW + lifetime)
    denylist.apply([Revocation(HEAD, "x", ended, True)])

    clock.move(3600 * hours)
    for step in (0, 10, 600):
        clock.move(step)
        monotonic.move(step)
        denylist.apply([])
    clock.move(-3600 * hours)
    denylist.apply([])

    assert denylist.is_revoked(ended, "x", HEAD)


@pytest.mark.parametrize("hours", [25, 100_000])
def test_a_worker_that_begins_while_the_clock_is_ahead_knows_what_ended_before(hours):
    clock, monotonic = HandClock(), HandClock()
    denylist, ended = Denylist(clock, monotonic), key(1, NOW + 3600)
    clock.move(3600 * hours)
    load(denylist, [Revocation(HEAD, "x", ended, True), Revocation(HEAD + 3600 * 1_000_000 * hours, "y")])

    for _ in range(2):
        monotonic.move(3000)
        denylist.apply([])
    clock.move(-3600 * hours)

    assert denylist.is_revoked(ended, "x", HEAD)


def test_one_that_ended_while_the_clock_was_ahead_stays_so_until_it_has_expired():
    clock, monotonic = HandClock(), HandClock()
    denylist, ended = Denylist(clock, monotonic), key(1, NOW + 40 * 24 * 3600)
    clock.move(30 * 24 * 3600)
    denylist.apply([Revocation(HEAD + 30 * 24 * 3600 * 1_000_000, "x", ended, True)])
    clock.move(-30 * 24 * 3600)

    for _ in range(40):
        assert denylist.is_revoked(ended, "x", HEAD)
        clock.move(24 * 3600)
        monotonic.move(24 * 3600)
        denylist.apply([])
