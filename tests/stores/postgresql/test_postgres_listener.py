"""What wakes the followers of the log of a PostgreSQL store: its connection, and what it must not wait for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.changes import end_client
from helpers.engines import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.postgres_raw import Raw
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store

own_server = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))

LONG = 20.0  # no test waits so long, unless it fails


@pytest.fixture
def raw(postgres_url):
    with Raw(postgres_url) as raw:
        yield raw


@pytest.fixture
def elsewhere(postgres_url):
    """A store in another process, as good as."""
    with closing(open_store(postgres_url, create=True)) as store:
        store.add_client(registered())
        yield store


@pytest.fixture
def listeners(raw):
    before = raw.listeners()  # of other tests: they end with their threads
    return lambda: raw.listeners() - before


@pytest.fixture
def waiter(elsewhere):
    waiter = elsewhere.waiter()
    with closing(waiter):
        waiter.wait(LONG)  # ends at once, when it listens
        yield waiter


def waits(waiter, seconds):
    started = time.monotonic()
    waiter.wait(seconds)
    return time.monotonic() - started


def is_woken(waiter):
    return waits(waiter, LONG) < LONG


def test_a_waiter_ends_when_its_time_is_over(waiter):
    assert waits(waiter, 0.05) >= 0.05


def test_a_waiter_is_woken_by_what_happened_before_it_waited(waiter, elsewhere):
    end_client(elsewhere, "tester")

    assert is_woken(waiter)
    assert waits(waiter, 0.05) >= 0.05


def listener_of(elsewhere, **pauses):
    from oauth_mw.stores.sql.postgresql.listener import Listener

    engine = elsewhere._engine
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


@own_server
@pytest.mark.slow
def test_after_a_fail_over_it_is_the_new_primary_that_wakes():
    with Pair() as pair, closing(open_store(pair.url, create=True)) as store:
        store.add_client(registered())
        with closing(listener_of(store, redial=0)) as waiter:
            waiter.wait(LONG)
            pair.primary.kill()
            pair.promote()
            pair.primary.settings["synchronous_standby_names"] = ""
            pair.primary.reload()
            with Raw(pair.primary.url) as raw:

                def listens():
                    waiter.wait(0)
                    return raw.listeners()

                wait_until(listens, "a listener")
                wait_until(lambda: raw("SHOW synchronous_standby_names") == [""], "a primary by itself")
            waiter.wait(0)
            end_client(store, "tester")

            assert is_woken(waiter)


# What is not waited for


@own_server
@pytest.mark.slow
def test_a_revocation_without_its_standby_keeps_no_others_notifications_back():
    with Pair() as pair, closing(open_store(pair.primary.url, create=True, timeout=2.0)) as store:
        store.add_client(registered())
        with Raw(pair.primary.url) as raw, ThreadPoolExecutor(1) as threads:
            pair.standby.pause()
            try:
                ending = threads.submit(end_client, store, "tester")
                wait_until(lambda: raw.waiting("SyncRep"), "the wait for the standby")
                raw("SET synchronous_commit TO off")
                raw("SET lock_timeout TO '500ms'")
                raw("NOTIFY something_else")
                assert not ending.done()
            finally:
                pair.standby.resume()


@own_server
@pytest.mark.slow
def test_others_notifications_that_wait_for_a_standby_keep_no_revocation_back():
    with Pair(synchronous_commit="local") as pair, closing(open_store(pair.primary.url, create=True)) as store:
        store.add_client(registered())
        with Raw(pair.primary.url) as raw, Raw(pair.primary.url) as other, ThreadPoolExecutor(1) as threads:
            pair.standby.pause()
            try:
                other("SET synchronous_commit TO on")
                for statement in (
                    "BEGIN",
                    "SELECT pg_logical_emit_message(true, 'tests', '')",
                    "NOTIFY something_else",
                ):
                    other(statement)
                waiting = threads.submit(other, "COMMIT")
                wait_until(lambda: raw("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), "that wait")

                assert end_client(store, "tester") and store.find_client("tester")
                assert not waiting.done()
            finally:
                pair.standby.resume()
