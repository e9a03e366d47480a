"""Cached tokens are accepted for the lag, or for ``outage_grace_seconds`` after the last reply of the store."""

from __future__ import annotations

import time

import pytest
from faults import WRITES, every_fault, killed, paused
from service import DONE, UNAVAILABLE
from sqlite_faults import kept

from helpers.engines_base import wait_until
from oauth_mw.tokens.cache import POLL_SECONDS

GRACE, LAG = 30, 0.4


@pytest.fixture
def options():
    return {"outage_grace_seconds": GRACE}


@every_fault(lambda fault: fault.strikes in (killed, paused, kept))
def test_what_is_cached_and_nothing_else_is_served_until_the_grace_is_over(service, outage, fault):
    service.later(GRACE)
    service.ask("cached check")  # here the store answers for the last time
    with outage:
        first = service.ask_all(["cached check", "first check", "introspect"], at_once=fault.waits)
        service.later(GRACE - POLL_SECONDS - 0.001)
        last = service.ask("cached check")
        service.later(0.001)
        over = service.ask("cached check")

    assert first == {"cached check": DONE, "first check": UNAVAILABLE, "introspect": UNAVAILABLE}
    assert (last, over) == (DONE, UNAVAILABLE)


@every_fault(lambda fault: fault.stops == WRITES and not fault.waits and not fault.rare)
def test_a_store_that_can_still_be_read_needs_no_grace(service, outage):
    with outage:
        answers = []
        for _ in range(3):
            service.later(GRACE)
            answers.append(service.ask("cached check"))

    assert answers == [DONE] * 3


class RealClock:
    def __call__(self):
        return time.monotonic()

    def move(self, seconds):
        """It moves by itself."""


@pytest.mark.parametrize(("options", "ticks"), [({"revocation_lag_seconds": LAG}, RealClock())], ids=[""])
@every_fault(lambda fault: fault.strikes is paused)
def test_without_grace_a_cached_token_is_good_for_no_longer_than_the_lag_and_again_afterwards(service, outage):
    with outage:
        struck = began = last = time.monotonic()
        while began < struck + 10 * LAG and service.ask("cached check") == DONE:
            last, began = began, time.monotonic()
        then = [service.ask("cached check") for _ in range(3)]

    assert last < struck + LAG and then == [UNAVAILABLE] * 3
    wait_until(lambda: service.ask("cached check") == DONE, "recovery")


@pytest.mark.parametrize("options", [{"revocation_lag_seconds": 0}], ids=[""])
@every_fault(lambda fault: fault.strikes is killed)
def test_without_a_lag_a_cached_token_is_503_at_once(service, outage):
    with outage:
        assert service.ask("cached check") == UNAVAILABLE
