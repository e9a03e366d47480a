"""A worker recovers by itself, in the same process, and has lost nothing."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from service import DONE, LIFETIME, REFUSED

from oauth_mw import admin


@every_fault()
def test_once_it_is_mended_what_was_refused_can_be_repeated_and_nothing_is_lost(service, outage, fault):  # L-03, L-06
    with outage:
        service.ask_all(at_once=fault.waits)
    repeated = {operation: service.patiently(operation) for operation in READS | WRITES}

    assert repeated == dict.fromkeys(READS | WRITES, DONE)
    assert [service.check(token) for token in (service.doomed, service.ended)] == [REFUSED, REFUSED]
    assert admin.get_client(service.store, "tester").lifetime == LIFETIME
