"""The documents for services that check JWTs themselves, while the store has a fault."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from faults import READS, WRITES, every_fault
from redis_faults import writes_paused
from service import DONE

from helpers.jwts import JWT
from oauth_mw.keys import REFRESH_SECONDS

KEYS, METADATA = "/oauth/jwks", "/.well-known/oauth-authorization-server"


# While writes are paused, keys can still be read.
@every_fault(lambda fault: fault.stops == READS | WRITES and fault.strikes is not writes_paused, only=JWT)
def test_the_keys_and_the_metadata_are_served_from_memory(service, outage):
    service.later()
    answers = [service.document(KEYS)]
    with outage:
        answers += [service.document(KEYS), service.document(METADATA)]
        service.later(REFRESH_SECONDS)
        answers += [service.document(KEYS), service.document(METADATA)]
    service.later()

    assert [*answers, service.document(KEYS)] == [DONE] * 6


@every_fault(lambda fault: fault.waits, only=JWT)
def test_no_request_for_the_keys_waits_longer_than_one_timeout(service, outage):
    """The fixture ``start`` checks how long it took."""
    with outage, ThreadPoolExecutor(8) as pool:
        service.later()

        assert len(set(pool.map(service.document, [KEYS] * 8))) == 1
