"""A worker that starts while the store is out of order: a supervisor may do so for as long as it lasts."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from service import DONE, UNAVAILABLE


def newcomer(start, service):
    """A worker that knows what the one before it had."""
    new = start()
    new.cached, new.unseen, new.doomed, new.ended = service.cached, service.unseen, service.doomed, service.ended
    return new


@every_fault(lambda fault: fault.at_start)
def test_it_comes_up_and_does_what_can_be_done(service, start, outage, fault):
    with outage:
        answers = newcomer(start, service).ask_all()

    assert answers == {name: UNAVAILABLE if name in fault.stops else DONE for name in answers}


@every_fault(lambda fault: fault.at_start)
def test_it_serves_once_the_store_is_mended(service, start, outage):
    with outage:
        new = newcomer(start, service)
    answers = {operation: new.patiently(operation) for operation in READS | WRITES}

    assert answers == dict.fromkeys(READS | WRITES, DONE)
