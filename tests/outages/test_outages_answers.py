"""What a worker answers while its store is out of order."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from service import DONE, REFUSED, UNAVAILABLE


@every_fault()
def test_what_the_store_cannot_do_is_503_and_all_else_goes_on(service, outage, fault):  # L-03, R-16
    reads = READS - fault.stops
    with outage:
        answers = service.ask_all(at_once=fault.waits)
        after_the_writes = service.ask_all(reads, at_once=fault.waits) if reads else {}

    expected = {name: UNAVAILABLE if name in fault.stops else DONE for name in answers}
    assert (answers, after_the_writes) == (expected, dict.fromkeys(reads, DONE))


@every_fault()
def test_nobody_gets_in_whose_token_is_unknown_or_revoked_and_nothing_is_said_of_it(service, outage, fault):  # L-03
    unknown = service.unseen[:-1] + ("A" if service.unseen[-1] != "A" else "B")
    with outage:
        service.later()
        checked = [service.check(token) for token in (unknown, service.ended)]
        told = [service.introspect(unknown), service.revoke(unknown)]

    assert set(checked) <= {UNAVAILABLE, REFUSED}
    assert set(told) == {UNAVAILABLE} or fault.stops != READS | WRITES
