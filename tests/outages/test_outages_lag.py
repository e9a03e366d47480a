"""Without grace, cached tokens are good until the lag is over, at most. Here time passes by itself."""

from __future__ import annotations

import time

import pytest
from faults import every_fault, killed, paused
from service import DONE, UNAVAILABLE

from helpers.engines_base import wait_until

LAG = 0.4
LATE = 0.3  # seconds that a busy machine may add


class RealClock:
    def __call__(self):
        return time.monotonic()

    def move(self, seconds):
        """It moves by itself."""


@pytest.fixture
def ticks():
    return RealClock()


@pytest.fixture
def service(site, start):
    service = start(revocation_lag_seconds=LAG)
    site.serves(service)
    service.prepare()
    return service


@every_fault(lambda fault: fault.strikes is paused)
def test_a_cached_token_is_good_for_no_longer_than_the_lag_and_again_afterwards(service, outage):
    last = 0.0
    with outage:
        struck = time.monotonic()
        while service.ask("cached check") == DONE and last < LAG + LATE:
            last = time.monotonic() - struck
        then = [service.ask("cached check") for _ in range(3)]

    assert last < LAG + LATE and then == [UNAVAILABLE] * 3
    wait_until(lambda: service.ask("cached check") == DONE, "recovery", 5)


@every_fault(lambda fault: fault.strikes is killed)
def test_without_a_lag_it_ends_at_once(site, start, outage):
    service = start(revocation_lag_seconds=0)
    service.prepare()

    with outage:
        assert service.ask("cached check") == UNAVAILABLE
