"""What those who check our JWTs themselves are told while the store is out of order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from faults import READS, WRITES, every_fault
from redis_faults import writes_paused
from service import DONE

from helpers.jwts import JWT
from oauth_mw.keys import REFRESH_SECONDS

KEYS, METADATA = "/oauth/jwks", "/.well-known/oauth-authorization-server"
# Where writes are paused keys can still be read.
all_stops = every_fault(lambda fault: fault.stops == READS | WRITES and fault.strikes is not writes_paused, only=JWT)


@all_stops
def test_the_keys_are_told_from_memory(service, outage):
    service.later()
    told = [service.document(KEYS)]
    with outage:
        told.append(service.document(KEYS))
        service.later(REFRESH_SECONDS)
        told.append(service.document(KEYS))
    service.later()

    assert [*told, service.document(KEYS)] == [DONE] * 4


@all_stops
def test_the_metadata_is_always_told(service, outage):
    with outage:
        service.later()

        assert service.document(METADATA) == DONE


@every_fault(lambda fault: fault.waits, only=JWT)
def test_nobody_waits_for_the_keys_longer_than_one_timeout(service, outage):
    """How long is judged with every test here."""
    with outage, ThreadPoolExecutor(8) as pool:
        service.later()

        assert len(set(pool.map(service.document, [KEYS] * 8))) == 1
