"""A worker while its store has a fault, and, in the same process, after the store was repaired."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from service import DONE, LIFETIME, REFUSED, STRANGE, UNAVAILABLE

from oauth_mw import admin

ALL_DONE = dict.fromkeys(READS | WRITES, DONE)


@every_fault()
def test_what_the_store_cannot_do_is_503_all_else_works_and_nothing_is_lost(service, outage, fault):
    reads = READS - fault.stops
    with outage:
        answers = service.ask_all([*READS, *WRITES, *STRANGE], at_once=fault.waits)
        after_the_writes = service.ask_all(reads, at_once=fault.waits) if reads else {}
    repeated = {operation: service.patiently(operation) for operation in ALL_DONE}

    strange = {name: answers.pop(name) for name in STRANGE}
    expected = {name: UNAVAILABLE if name in fault.stops else DONE for name in ALL_DONE}
    assert (answers, after_the_writes) == (expected, dict.fromkeys(reads, DONE))  # L-03, R-16
    assert {strange["check unknown"], strange["check ended"]} <= {UNAVAILABLE, REFUSED}
    assert {strange["introspect unknown"], strange["revoke unknown"]} == {UNAVAILABLE} or fault.stops != READS | WRITES
    assert repeated == ALL_DONE  # L-06
    assert [service.check(token) for token in (service.doomed, service.ended)] == [REFUSED, REFUSED]
    assert admin.get_client(service.store, "tester").lifetime == LIFETIME


@every_fault(lambda fault: fault.at_start)
def test_a_worker_that_starts_does_what_can_be_done_and_serves_later(service, start, outage, fault, caplog):
    with outage:
        before = len(caplog.records)
        new = start()
        warnings = sum("the store is unavailable" in record.getMessage() for record in caplog.records[before:])
        new.knows(service.issued)
        during = new.ask_all(at_once=fault.waits)
    after = {operation: new.patiently(operation) for operation in ALL_DONE}

    # What the other worker has cached is new to this one.
    stops = fault.stops | ({"cached check"} if "first check" in fault.stops else set())
    assert during == {name: UNAVAILABLE if name in stops else DONE for name in ALL_DONE}
    assert after == ALL_DONE
    # A connection may become free for a moment; how often the log warns is shown in test_outages_warnings.py.
    assert (warnings > 0) is (fault.stops == READS | WRITES)
