"""Tokens in the cache stay good for ``outage_grace_seconds``, counted from the last moment the store answered."""

from __future__ import annotations

import pytest
from faults import READS, WRITES, every_fault
from service import DONE, UNAVAILABLE

GRACE = 30


@pytest.fixture
def service(site, start):
    service = start(outage_grace_seconds=GRACE)
    site.serves(service)
    service.prepare()
    return service


@every_fault(lambda fault: "cached check" in fault.stops)
def test_the_cache_is_served_until_the_grace_is_over(service, outage):
    service.later(GRACE)
    service.ask("cached check")  # here the store answers for the last time
    with outage:
        answers = []
        for seconds in (1, GRACE - 1.001, 0.001):
            service.later(seconds)
            answers.append(service.ask("cached check"))

    assert answers == [DONE, DONE, UNAVAILABLE]


@every_fault(lambda fault: fault.stops == READS | WRITES)
def test_grace_does_nothing_for_tokens_that_are_not_cached(service, outage, fault):
    with outage:
        answers = service.ask_all(["first check", "introspect"], at_once=fault.waits)

    assert set(answers.values()) == {UNAVAILABLE}


@every_fault(lambda fault: "cached check" not in fault.stops)
def test_a_store_that_can_still_be_read_needs_no_grace(service, outage):
    with outage:
        answers = []
        for _ in range(3):
            service.later(GRACE)
            answers.append(service.ask("cached check"))

    assert answers == [DONE] * 3
