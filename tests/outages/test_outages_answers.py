"""What a worker answers while its store is out of order."""

from __future__ import annotations

from faults import READS, every_fault
from service import DONE, REFUSED, UNAVAILABLE


@every_fault()
def test_what_the_store_cannot_do_is_503_and_all_else_goes_on(service, outage, fault):  # L-03, R-16
    with outage:
        answers = service.ask_all(at_once=fault.waits)
        after_the_writes = service.ask_all(READS, at_once=fault.waits)

    expected = {name: UNAVAILABLE if name in fault.stops else DONE for name in answers}
    assert (answers, after_the_writes) == (expected, {name: expected[name] for name in READS})


@every_fault()
def test_nobody_gets_in_whose_token_is_unknown_or_revoked(service, outage):  # L-03
    unknown = service.unseen[:-1] + ("A" if service.unseen[-1] != "A" else "B")
    with outage:
        service.later()
        answers = [service.check(token) for token in (unknown, service.ended)]

    assert set(answers) <= {UNAVAILABLE, REFUSED}
