"""Waits for the write lock and for SQLite's own locks, which never exceed the timeout."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from threading import Event, Thread

import pytest

from helpers.builders import issued, key_of, log_of, registered
from helpers.changes import end_client
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.connections import ConnectionSet

pytest.importorskip("fcntl")
pytestmark = pytest.mark.usefixtures("key")

TIMEOUT = 0.3
SLACK = 2.0  # for a machine that is busy with other tests


@pytest.fixture
def locked(path):
    """Call it to lock the database by another connection until the end of the block."""

    @contextmanager
    def lock(statement="BEGIN IMMEDIATE"):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(statement)
            yield

    return lock


@contextmanager
def held(store, seconds):
    """Have another thread hold the write lock for so many seconds of the block."""
    mine, free = Event(), Event()

    def hold():
        with store.engine.writing():
            mine.set()
            free.wait(seconds)

    holder = Thread(target=hold)
    holder.start()
    mine.wait(5)
    yield
    free.set()
    holder.join()


HOLD = "with store.engine.writing():\n    print('mine', flush=True)\n    sys.stdin.readline()"
WRITES = {
    "issue": lambda store: issued(store, number=1),
    "register": lambda store: store.add_client(registered("other")),
    "revoke": lambda store: store.revoke_token(key_of()),
}


def seconds_until_refused(write, store):
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        write(store)
    return time.monotonic() - started


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_locked_database_is_waited_for_no_longer_than_the_timeout(store, locked, write):
    before = log_of(store)
    with locked():
        assert TIMEOUT * 0.9 < seconds_until_refused(write, store) < TIMEOUT + SLACK

    assert log_of(store) == before
    write(store)


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_readers_do_not_wait_for_writers(store, locked, statement):
    with locked(statement):
        assert store.find_client("tester")
        assert store.find_token(key_of())
        store.verify()
        assert log_of(store).store_id


def test_a_stopped_holder_of_the_lock_is_waited_for_no_longer_than_the_timeout(store, start):
    holder = start.fork(HOLD)
    holder.says()
    os.kill(holder.pid, signal.SIGSTOP)

    for write in ("issue", "revoke"):
        assert TIMEOUT * 0.9 < seconds_until_refused(WRITES[write], store) < TIMEOUT + SLACK
    assert store.find_client("tester") and log_of(store).store_id  # readers do not wait

    os.kill(holder.pid, signal.SIGCONT)
    holder.hears()
    holder.ends()
    assert store.revoke_token(key_of())


def test_a_killed_holder_of_the_lock_leaves_it_free(store, start):
    holder = start.fork(HOLD)
    holder.says()
    holder.kill()

    assert store.revoke_token(key_of())


@pytest.mark.slow
def test_queue_and_lock_are_waited_for_no_longer_than_the_timeout_together(store, locked):
    patient = open_store(store.url, timeout=1.0)
    with closing(patient), locked(), held(patient, 0.8):
        assert seconds_until_refused(WRITES["issue"], patient) < 1.5


def test_a_thread_of_this_process_is_waited_for_no_longer_than_the_timeout(store):
    with held(store, 10):
        assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["issue"], store) < TIMEOUT + SLACK


def test_after_a_wait_for_the_lock_the_full_timeout_counts_again(store, locked):
    with held(store, TIMEOUT / 2):
        WRITES["issue"](store)

    with locked():
        assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["revoke"], store)


def test_a_start_on_a_locked_database_is_an_outage(tmp_path):
    path, errors = tmp_path / "new.db", []
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = open_store(f"sqlite:///{path}", create=True, timeout=TIMEOUT, unavailable=errors.append)
        with pytest.raises(StoreUnavailable):
            open_store(f"sqlite:///{path}", create=True, timeout=TIMEOUT)

    with closing(store):
        assert store.add_client(registered())
    assert [type(error) for error in errors] == [StoreUnavailable]


def test_a_start_on_a_store_that_is_there_waits_for_no_writer(store, locked):
    with locked(), closing(open_store(store.url, create=True, timeout=TIMEOUT)) as started:
        assert started.find_client("tester")


def test_a_write_that_failed_holds_no_lock(store, locked, path):
    with locked():
        seconds_until_refused(WRITES["revoke"], store)

    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_a_write_that_is_interrupted_as_it_begins_releases_the_lock(store, monkeypatch):
    def interrupt(connections, until):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ConnectionSet, "is_current", interrupt)
        with pytest.raises(KeyboardInterrupt):
            end_client(store, "tester")

    with closing(open_store(store.url, timeout=TIMEOUT)) as other:
        assert end_client(other, "tester")
    assert end_client(store, "tester")
