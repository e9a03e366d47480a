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
def test_it_comes_up_does_what_can_be_done_and_serves_once_the_store_is_mended(service, start, outage, fault, caplog):
    with outage:
        before = len(caplog.records)
        new = newcomer(start, service)
        warnings = len(caplog.records) - before
        during = new.ask_all(at_once=fault.waits)
    after = {operation: new.patiently(operation) for operation in READS | WRITES}

    # What another worker had in its cache is new to this one.
    stops = fault.stops | ({"cached check"} if "first check" in fault.stops else set())
    expected = {name: UNAVAILABLE if name in stops else DONE for name in during}
    assert (during, after) == (expected, dict.fromkeys(READS | WRITES, DONE))
    assert warnings == (1 if fault.stops == READS | WRITES else 0)
