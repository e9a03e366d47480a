"""Waking the followers of the log of a PostgreSQL store: the connection, and what it must not wait for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from helpers.builders import opened
from helpers.changes import end_client
from helpers.engines import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.postgres_raw import Raw
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store

LONG = 20.0  # no test waits so long unless it fails


@pytest.fixture
def waiter(elsewhere):
    waiter = elsewhere.waiter()
    with closing(waiter):
        waiter.wait(LONG)  # returns as soon as it listens
        yield waiter


def waits(waiter, seconds):
    started = time.monotonic()
    waiter.wait(seconds)
    return time.monotonic() - started


def is_woken(waiter):
    return waits(waiter, LONG) < LONG


def test_a_waiter_is_woken_by_what_happened_before_it_waited_and_else_waits(waiter, elsewhere):
    end_client(elsewhere, "tester")

    assert is_woken(waiter)
    assert waits(waiter, 0.05) >= 0.05


def listener_of(elsewhere, **pauses):
    from oauth_mw.stores.sql.postgresql.listener import Listener

    engine = elsewhere.engine
    return Listener(engine._dial, engine._notify, **pauses)


def test_a_connection_that_is_lost_is_opened_again(elsewhere, raw, listeners):
    with closing(listener_of(elsewhere, redial=0)) as waiter:
        waiter.wait(LONG)
        (lost,) = listeners()
        raw("SELECT pg_terminate_backend(%s)", lost)
        wait_until(lambda: not listeners(), "the end of the connection")
        wait_until(lambda: waiter.wait(0) or listeners(), "another connection")

        end_client(elsewhere, "tester")
        assert is_woken(waiter)


def test_until_it_is_opened_again_a_waiter_sleeps(elsewhere, raw, listeners):
    with closing(listener_of(elsewhere, redial=100 * LONG)) as waiter:
        waiter.wait(LONG)
        raw("SELECT pg_terminate_backend(%s)", *listeners())
        wait_until(lambda: not listeners(), "the end of the connection")

        wait_until(lambda: waits(waiter, 0.05) >= 0.05, "a wait that is not cut short")
        assert waits(waiter, 0.05) >= 0.05 and listeners() == set()


# Two servers


@pytest.fixture(scope="module")
def pair():
    if reason := why_no_wheel("postgresql"):
        pytest.skip(reason)
    with Pair(synchronous_commit="local") as pair:
        yield pair


@pytest.fixture
def primary(pair):
    with Raw(pair.primary.url) as raw:
        yield raw


@pytest.fixture
def store(pair):
    with opened(pair.url, timeout=2.0) as store:
        yield store


@pytest.fixture
def alone(pair):
    """The standby does not answer the primary."""
    with pair.alone():
        yield


@pytest.mark.slow
def test_a_revocation_without_its_standby_keeps_no_others_notifications_back(pair, store, primary, alone):
    url = f"{pair.primary.url}?options=-csynchronous_commit%3Don"
    with closing(open_store(url, timeout=2.0)) as waiting, ThreadPoolExecutor(1) as threads:
        ending = threads.submit(end_client, waiting, "tester")
        wait_until(primary.syncing, "the wait for the standby")
        primary("SET lock_timeout TO '500ms'")
        primary("NOTIFY something_else")

        assert not ending.done()
        pair.standby.resume()


@pytest.mark.slow
def test_others_notifications_that_wait_for_a_standby_keep_no_revocation_back(pair, store, primary, alone):
    with Raw(pair.primary.url) as other, ThreadPoolExecutor(1) as threads:
        other("SET synchronous_commit TO on")
        other("BEGIN")
        other("SELECT pg_logical_emit_message(true, 'tests', '')")
        other("NOTIFY something_else")
        waiting = threads.submit(other, "COMMIT")
        wait_until(primary.syncing, "that wait")

        assert end_client(store, "tester") and store.find_client("tester")
        assert not waiting.done()
        pair.standby.resume()


@pytest.mark.slow
def test_after_a_fail_over_it_is_the_new_primary_that_wakes(pair, store):  # the last: it takes the pair apart
    with closing(listener_of(store, redial=0)) as waiter:
        waiter.wait(LONG)
        pair.primary.kill()
        pair.promote()
        with Raw(pair.primary.url) as raw:
            wait_until(lambda: waiter.wait(0) or raw.listeners(), "a listener")
        waiter.wait(0)
        end_client(store, "tester")

        assert is_woken(waiter)
