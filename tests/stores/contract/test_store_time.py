"""Clocks that go back, stand still, or are far off (L-05)."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of
from helpers.changes import end_client

pytestmark = pytest.mark.usefixtures("tester")

MICROSECONDS = 1_000_000


def position_after_an_event(store):
    end_client(store, "tester")
    return log_of(store).position


@pytest.mark.parametrize("seconds", [0, -0.5, -1_799_999_999], ids=["stands still", "goes back", "goes far back"])
def test_positions_are_microseconds_and_grow_while_the_clock(store, clock, seconds):
    first = position_after_an_event(store)
    assert first == int(clock() * MICROSECONDS)
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


def test_a_clock_far_ahead_does_no_harm(store, clock):
    clock.move(253_402_300_800)  # into the year 10,000

    assert position_after_an_event(store) == int(clock() * MICROSECONDS)
