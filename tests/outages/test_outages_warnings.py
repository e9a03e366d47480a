"""An outage is one warning when it begins, and one when it is over."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from sqlite_faults import SQLITE

GONE, FULL = SQLITE["database moved"], SQLITE["full"]


@every_fault(lambda fault: fault in (GONE, FULL))
def test_a_fault_is_two_warnings_however_many_requests_it_stops(service, outage, fault, caplog):
    with outage:
        for _ in range(20):
            service.ask_all([*READS, *WRITES], at_once=fault.waits)
        during = len(warnings(caplog))
    for operation in (*READS, *WRITES):
        service.patiently(operation)

    assert during == 1
    texts = warnings(caplog)
    assert [text.partition(":")[0].partition(",")[0] for text in texts] == [
        "the store is unavailable",
        "the store answers again",
    ]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
