"""A pooler between the store and PostgreSQL is found out before anything is set in a session that others share."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.engines import Postgres, free_port
from helpers.relay import Relay
from helpers.store_urls import why_no_wheel
from oauth_mw import ConfigError, StoreUnavailable, open_store

pytestmark = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))

KEY = b"K\0\0\0"  # BackendKeyData, and the first of the bytes of its length


@pytest.fixture(scope="module")
def engine():
    with Postgres() as engine:
        yield engine


def as_a_pooler(data):
    """The process number that a pooler tells is its own."""
    before, key, rest = data.partition(KEY)
    return before + key + rest[:1] + bytes(byte ^ 0x55 for byte in rest[1:5]) + rest[5:]


def at(engine, relay):
    return engine.url.replace(str(engine.port), str(relay.port))


def test_a_pooler_is_refused_before_anything_is_set(engine):
    with Relay(engine.port, as_a_pooler) as pooler:
        with pytest.raises(ConfigError, match="connection pooler .* answers: name PostgreSQL itself") as refused:
            open_store(at(engine, pooler), create=True)

    assert refused.value.option == "store" and str(pooler.port) in str(refused.value)
    said = b"".join(pooler.asked)
    assert b"pg_backend_pid" in said and b"SET " not in said and b"CREATE" not in said


def test_what_is_no_pooler_is_not_refused(engine):
    with Relay(engine.port) as relay, closing(open_store(at(engine, relay), create=True)):
        assert b"SET synchronous_commit" in b"".join(relay.asked)


def test_a_pooler_that_comes_later_is_503(engine):
    answers = [bytes]
    with Relay(engine.port, lambda data: answers[-1](data)) as relay:
        with closing(open_store(at(engine, relay), create=True)) as store:
            store.add_client(registered())
            answers.append(as_a_pooler)
            relay.cut()

            with pytest.raises(StoreUnavailable, match="connection pooler"):
                store.find_client("tester")
            answers.append(bytes)
            relay.cut()
            assert store.find_client("tester")


def test_what_would_refuse_a_start_is_503_once_the_pooler_comes_up(engine):
    with Relay(free_port(), as_a_pooler) as pooler:
        with closing(open_store(at(engine, pooler), create=True, unavailable=lambda error: None)) as store:
            pooler.server = engine.port

            with pytest.raises(StoreUnavailable, match="connection pooler"):
                store.find_client("tester")
