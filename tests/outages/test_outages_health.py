"""Health checks while the store has a fault."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import every_fault, killed, paused
from service import REFUSED
from sqlite_faults import kept

from oauth_mw.endpoints.health import LOOK_SECONDS

LIVE, READY = (200, '{"status": "ok"}'), (200, '{"status": "ok"}')
UNREADY = (503, '{"status": "unavailable"}')
GRACE = 30


@pytest.fixture
def options():
    return {"health_path": "/health"}


@every_fault(lambda fault: fault.strikes in (killed, kept))
def test_a_worker_without_its_store_is_alive_and_not_ready_until_the_store_is_back(service, outage):
    before = service.health("ready")
    with outage:
        service.later()
        during = [service.health("ready"), service.health("live")]
    answers = []
    for _ in range(6):  # the first polls after an outage may be those that it held up
        service.later()
        answers.append(service.health("ready"))

    assert (before, during) == (READY, [UNREADY, LIVE])
    assert answers[-1] == READY and answers == sorted(answers, reverse=True)


@every_fault(lambda fault: fault.strikes is paused)
def test_a_hanging_store_is_an_answer_within_the_time_of_a_look(service, outage):
    with outage, ThreadPoolExecutor(8) as pool:
        service.later()
        started = time.monotonic()
        during = set(pool.map(service.health, ["ready"] * 8))
        took = time.monotonic() - started
        alive = service.health("live")

    assert (during, alive) == ({UNREADY}, LIVE)
    assert took < 4 * LOOK_SECONDS  # this machine may be busy; eight looks in turn would take twice as long


@pytest.mark.parametrize("options", [{"health_path": "/health", "outage_grace_seconds": GRACE}], ids=[""])
@every_fault(lambda fault: fault.strikes in (killed, kept))
def test_as_long_as_the_grace_lasts_a_worker_is_ready(service, outage):
    service.later(GRACE)
    answers = [service.health("ready")]  # here the store answers for the last time
    with outage:
        service.later(GRACE - 0.001)
        answers.append(service.health("ready"))
        service.later(0.001)
        answers += [service.health("ready"), service.ask("cached check") == REFUSED]

    assert answers == [READY, READY, UNREADY, False]
