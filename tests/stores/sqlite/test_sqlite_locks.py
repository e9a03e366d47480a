"""Who waits for whom, and never for longer than the timeout."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from threading import Event, Thread

import pytest

from helpers.builders import issued, key_of, log_of, registered, token_of
from helpers.changes import end_client
from helpers.processes import Processes
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.connections import ConnectionSet

pytest.importorskip("fcntl")

TIMEOUT = 0.3
SLACK = 0.7  # for a machine that is busy with other tests
MINE = registered()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "oauth.db"


@pytest.fixture
def store(path, clock):
    with closing(open_store(f"sqlite:///{path}", create=True, timeout=TIMEOUT, clock=clock)) as store:
        store.add_client(MINE)
        issued(store)
        yield store


@pytest.fixture
def locked(path):
    """Call it to have the database locked by a connection of somebody else, until the end of the block."""

    @contextmanager
    def lock(statement="BEGIN IMMEDIATE"):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(statement)
            yield

    return lock


@pytest.fixture
def start(store):
    with Processes(store.url) as start:
        yield start


@pytest.fixture
def turn():
    """Call it to have another thread hold the turn to write for so many seconds of the block."""

    @contextmanager
    def take(store, seconds):
        mine, free = Event(), Event()

        def hold():
            held = store._engine._current(time.monotonic() + 1)
            held.lock(time.monotonic() + TIMEOUT)
            mine.set()
            free.wait(seconds)
            held.unlock()

        holder = Thread(target=hold)
        holder.start()
        mine.wait(5)
        yield
        free.set()
        holder.join()

    return take


HOLD = "with store._engine.writing():\n    print('mine', flush=True)\n    sys.stdin.readline()"
WRITES = {
    "issue": lambda store: store.add_token(key_of(1), token_of(MINE)),
    "register": lambda store: store.add_client(registered("other")),
    "revoke": lambda store: store.revoke_token(key_of()),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def seconds_until_refused(write, store):
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        write(store)
    return time.monotonic() - started


@every_write
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


def test_a_stopped_holder_of_the_turn_is_waited_for_no_longer_than_the_timeout(store, start):
    holder = start(HOLD)
    holder.says()
    os.kill(holder.pid, signal.SIGSTOP)

    assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["issue"], store) < TIMEOUT + SLACK
    assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["revoke"], store) < TIMEOUT + SLACK

    os.kill(holder.pid, signal.SIGCONT)
    holder.hears()
    holder.ends()
    assert store.revoke_token(key_of())


def test_readers_do_not_wait_for_the_turn(store, start):
    holder = start(HOLD)
    holder.says()

    assert store.find_client("tester") and log_of(store).store_id


def test_a_killed_holder_of_the_turn_leaves_it_free(store, start):
    holder = start(HOLD)
    holder.says()
    holder.kill()

    assert store.revoke_token(key_of())


@pytest.mark.slow
def test_queue_and_lock_are_waited_for_no_longer_than_the_timeout_together(path, store, locked, turn):
    patient = open_store(store.url, timeout=1.0)
    with closing(patient), locked(), turn(patient, 0.8):
        assert seconds_until_refused(WRITES["issue"], patient) < 1.5


def test_a_thread_of_this_process_is_waited_for_no_longer_than_the_timeout(store, turn):
    with turn(store, 10):
        assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["issue"], store) < TIMEOUT + SLACK


def test_after_a_late_turn_the_whole_timeout_counts_again(store, locked, turn):
    with turn(store, TIMEOUT / 2):
        WRITES["issue"](store)

    with locked():
        assert TIMEOUT * 0.9 < seconds_until_refused(WRITES["revoke"], store)


def test_a_start_on_a_locked_database_is_told_of_and_made_good_later(tmp_path):
    path, told = tmp_path / "new.db", []
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = open_store(f"sqlite:///{path}", create=True, timeout=TIMEOUT, unavailable=told.append)

    with closing(store):
        assert store.add_client(registered())
    assert [type(error) for error in told] == [StoreUnavailable]


def test_a_start_on_a_locked_database_is_refused_to_who_asks_for_no_patience(path, locked):
    path.touch()
    with locked("BEGIN EXCLUSIVE"), pytest.raises(StoreUnavailable):
        open_store(f"sqlite:///{path}", create=True, timeout=TIMEOUT)


def test_a_start_on_a_store_that_is_there_waits_for_no_writer(store, locked):
    with locked(), closing(open_store(store.url, create=True, timeout=TIMEOUT)) as started:
        assert started.find_client("tester")


def test_what_failed_holds_no_lock(store, locked, path):
    with locked():
        seconds_until_refused(WRITES["revoke"], store)

    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_a_turn_that_breaks_off_as_it_begins_is_the_next_ones(store, monkeypatch):
    def break_off(held, until):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ConnectionSet, "is_current", break_off)
        with pytest.raises(KeyboardInterrupt):
            end_client(store, "tester")

    with closing(open_store(store.url, timeout=TIMEOUT)) as other:
        assert end_client(other, "tester")
    assert end_client(store, "tester")
