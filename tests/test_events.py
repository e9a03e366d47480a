"""Events and where they go."""

from __future__ import annotations

import logging

import pytest

from helpers.support import HandClock
from oauth_mw.errors import InvalidScope, StoreUnavailable
from oauth_mw.events import (
    MAX_REASONS,
    ForeignRevocation,
    Refusals,
    Refused,
    StoreFailed,
    TokenIssued,
    TokenRevoked,
    combine,
    log_sink,
)

ISSUED = TokenIssued("tester", "ab12", "read", 99)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def ticks():
    return HandClock()


@pytest.fixture
def refused(seen, ticks):
    return Refusals(seen.append, ticks)


def failures(seen):
    return [event for event in seen if isinstance(event, StoreFailed)]


def test_every_sink_is_told_in_order(seen):
    combine([lambda event: seen.append(("first", event)), lambda event: seen.append(("second", event))])(ISSUED)

    assert seen == [("first", ISSUED), ("second", ISSUED)]


def test_a_sink_that_fails_is_logged_and_others_go_on(seen, caplog):
    combine([lambda event: 1 / 0, seen.append])(ISSUED)

    assert seen == [ISSUED]
    assert [(record.name, record.levelname) for record in caplog.records] == [("oauth_mw", "ERROR")]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ISSUED, logging.INFO),
        (TokenRevoked("tester", "ab12"), logging.INFO),
        (Refused("", "invalid_client", "unknown client"), logging.INFO),
        (ForeignRevocation("tester", "ab12", "other"), logging.WARNING),
        (StoreFailed("", "down"), logging.WARNING),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else "",
)
def test_the_log_tells_all_of_an_event_and_warns_where_an_operator_should_look(event, level, caplog):
    caplog.set_level(logging.INFO, "oauth_mw")

    log_sink(event)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, repr(event))]


def test_an_event_is_one_line_of_the_log_whatever_is_in_it(caplog):  # H-15
    log_sink(StoreFailed("", "a\nforged line"))

    assert "\n" not in caplog.records[0].getMessage()


def test_a_refusal_is_told_with_its_private_reason(refused, seen):
    refused(InvalidScope("scope not allowed for this client", "tester"))

    assert seen == [Refused("tester", "invalid_scope", "scope not allowed for this client")]


def test_every_refusal_of_an_outage_is_told_and_each_reason_once_a_minute(refused, seen, ticks):
    for _ in range(120):
        refused(StoreUnavailable("the file cannot be opened"))
        refused(StoreUnavailable("another version"))
        ticks.move(1)

    assert len(seen) - len(failures(seen)) == 240
    assert failures(seen) == [StoreFailed("", "the file cannot be opened"), StoreFailed("", "another version")] * 2


def test_an_outage_with_ever_new_reasons_is_told_a_bounded_number_of_times_a_minute(refused, seen, ticks):
    for number in range(100):
        refused(StoreUnavailable(f"port {number}"))
    ticks.move(60)
    refused(StoreUnavailable("port 0"))

    assert len(failures(seen)) == MAX_REASONS + 1
