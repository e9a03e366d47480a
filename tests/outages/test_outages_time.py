"""Nothing takes longer than ``store_timeout_seconds``."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import READS, WRITES, every_fault, on_servers

LATE = 0.8  # seconds that a busy machine may add; less than the timeout, so that two waits in a row show


@pytest.fixture
def timeout():
    return 0.9


def seconds(call, *arguments):
    started = time.monotonic()
    call(*arguments)
    return time.monotonic() - started


@pytest.mark.slow
@every_fault(lambda fault: fault.waits)
def test_requests_at_once_all_have_their_answers_in_time(service, outage, timeout):
    requests = sorted(READS | WRITES) * 2
    with outage, ThreadPoolExecutor(len(requests)) as pool:
        service.later()
        taken = list(pool.map(lambda operation: seconds(service.ask, operation), requests))

    assert max(taken) < timeout + LATE


@pytest.mark.parametrize("engine", on_servers("postgresql over a network", "redis over a network"))
def test_who_asks_several_questions_that_take_their_time_has_no_more_of_it(service, site, timeout):
    with site.network.late(0.45 * timeout):
        assert seconds(service.ask, "revoke") < 1.6 * timeout
