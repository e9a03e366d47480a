"""A worker recovers by itself, in the same process, and has lost nothing."""

from __future__ import annotations

from faults import READS, WRITES, every_fault
from service import DONE, LIFETIME, REFUSED

from oauth_mw import admin


@every_fault()
def test_once_it_is_mended_all_is_well_again(service, outage):  # L-03, L-06
    with outage:
        service.ask_all()
    answers = {operation: service.patiently(operation) for operation in READS | WRITES}

    assert answers == dict.fromkeys(READS | WRITES, DONE)


@every_fault()
def test_what_was_acknowledged_before_is_still_there_and_what_was_refused_can_be_repeated(service, outage):  # L-06
    with outage:
        service.ask_all()
    service.patiently("revoke")
    service.later()

    checks = [service.check(token) for token in (service.cached, service.unseen, service.ended, service.doomed)]
    assert checks == [DONE, DONE, REFUSED, REFUSED]
    assert admin.get_client(service.store, "tester").lifetime == LIFETIME
