"""Clocks that go back, stand still, or are far off (L-05)."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client

MICROSECONDS = 1_000_000


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered())


def position_after_an_event(store):
    end_client(store, "tester")
    return log_of(store).position


def test_a_position_is_the_clock_in_microseconds(store, clock):
    assert position_after_an_event(store) == int(clock() * MICROSECONDS)


def test_positions_grow_while_the_clock_stands_still(store, clock):
    first = position_after_an_event(store)

    assert [position_after_an_event(store) - first for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("seconds", [-0.5, -3600, -1_799_999_999])
def test_positions_grow_while_the_clock_goes_back(store, clock, seconds):
    first = position_after_an_event(store)
    clock.move(seconds)

    assert [position_after_an_event(store) - first for _ in range(3)] == [1, 2, 3]


def test_positions_go_on_with_the_clock_once_it_has_caught_up(store, clock):
    position_after_an_event(store)
    clock.move(-10)
    position_after_an_event(store)
    clock.move(11)

    assert position_after_an_event(store) == int(clock() * MICROSECONDS)


def test_a_single_revocation_takes_the_next_position_too(store, clock):
    first = position_after_an_event(store)
    clock.move(-60)

    store.revoke_token(issued(store))

    assert log_of(store).position == first + 1


@pytest.mark.parametrize("year_10000", [253_402_300_800])
def test_a_clock_far_ahead_does_no_harm(store, clock, year_10000):
    clock.move(year_10000)

    assert position_after_an_event(store) == int(clock() * MICROSECONDS)


def test_no_time_is_too_odd_for_a_count(store):
    issued(store)

    assert [store.count_tokens(-1), store.count_tokens(2**40)] == [0, 1]
