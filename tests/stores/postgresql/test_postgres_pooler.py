"""Behind a connection pooler no setting outlives a transaction, and each statement checks that it is on a primary.

The pooler is a relay that reports a process number of its own. test_postgres_pgbouncer.py has a real pooler.
"""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from helpers.builders import issued, opened, registered
from helpers.life import live
from helpers.postgres_raw import Raw
from helpers.relay import relayed
from oauth_mw import ConfigError, open_store

KEY = b"K\0\0\0"  # BackendKeyData, and the first of the bytes of its length


@pytest.fixture
def url(own_postgres):
    """A URL without options, which no pooler passes on."""
    yield own_postgres.url
    with Raw(own_postgres.url) as raw:
        raw("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.fixture
def pooler(url):
    with relayed(url, as_a_pooler) as relay:
        yield relay


@pytest.fixture
def store(pooler):
    with opened(pooler.url) as store:
        yield store


def as_a_pooler(data):
    """Change the process number, as a pooler does."""
    before, key, rest = data.partition(KEY)
    return before + key + rest[:1] + bytes(byte ^ 0x55 for byte in rest[1:5]) + rest[5:]


@pytest.mark.slow
def test_a_store_does_all_that_it_does_without_a_pooler_and_sets_nothing_that_outlives_a_transaction(store, pooler):
    live(store)

    said = b"".join(pooler.asked)
    assert b", True)" in said and b", False)" not in said
    assert b"SET LOCAL " in said and not re.search(rb"SET \w+ TO", said)


def test_a_statement_and_all_around_it_is_one_round_trip_and_never_prepared(store, pooler):
    key = issued(store)
    pooler.asked.clear()
    for _ in range(20):
        store.find_token(key)

    assert len(pooler.asked) == 20
    with store.engine.reading() as link:
        assert link.driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_a_statement_that_fails_leaves_no_transaction_behind(store):
    import psycopg

    with store.engine.reading() as link:
        first = link.driver.fileno()
        with pytest.raises(psycopg.Error):
            link.driver.execute("SELECT 1/0")
    with store.engine.reading() as link:
        assert link.driver.fileno() == first and link.driver.is_idle()
        assert link.driver.execute("SELECT 1").fetchone() == (1,)


def test_a_pooler_that_appears_later_is_detected(url):
    answers = [bytes]
    with relayed(url, lambda data: answers[-1](data)) as relay, closing(open_store(relay.url, create=True)) as store:
        store.add_client(registered("later"))
        answers.append(as_a_pooler)
        relay.cut()
        relay.asked.clear()

        assert store.find_client("later")
        assert b", False)" not in b"".join(relay.asked)


def test_options_that_no_pooler_hands_on_are_refused(store, pooler):
    with pytest.raises(ConfigError, match="connection pooler .* options on: remove options from the URL"):
        open_store(f"{pooler.url}?options=-csearch_path%3Dpublic")


def test_a_worker_does_not_listen_through_a_pooler(store, pooler):
    waiter = store.waiter()
    with closing(waiter):
        waiter.wait(0.1)

    assert b"LISTEN" not in b"".join(pooler.asked)
