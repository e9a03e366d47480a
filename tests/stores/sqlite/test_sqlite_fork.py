"""What a child process inherits of a store, and what it must not use."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Barrier, Event, Thread

import pytest

from helpers.builders import HOUR, is_dead, issued, key_of, log_of, registered
from helpers.changes import end_client, locked
from helpers.processes import Processes, exit_code_of, forked
from helpers.support import HandClock, or_none
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

pytest.importorskip("fcntl")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("key")]

TIMEOUT = 20.0


def in_child(work):
    return exit_code_of(forked(work))


@pytest.fixture
def signal():
    """A pipe between a child and its parent."""
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_start_leaves_nothing_open_for_a_fork_to_inherit(tmp_path, open_files):
    with closing(open_store(f"sqlite:///{tmp_path}/new.db", create=True)):
        assert not [file for file in open_files() if "new.db" in file]


def test_a_child_neither_uses_nor_closes_what_was_in_use_at_the_fork(store):
    def work():
        with pytest.raises(StoreUnavailable, match="forked while another thread used SQLite"):
            store.find_client("tester")
        store.close()
        return driver.execute("SELECT 1").fetchone() == (1,)

    with store.engine.reading() as connection:
        driver = connection.driver
        assert in_child(work) == 0


@pytest.mark.parametrize("close", [False, True], ids=["left open", "closed"])
def test_parent_and_child_both_use_the_store(store, close):
    store.add_client(registered("other"))

    def work():
        ended = end_client(store, "other")
        if close:
            store.close()
        return ended

    assert in_child(work) == 0
    assert store.revoke_token(key_of())
    assert in_child(lambda: is_dead(store, key_of())) == 0


def test_a_child_notices_at_once_what_its_parent_revokes(store, signal):
    seen = store.generation

    def work():
        before = seen()
        os.read(signal[0], 1)
        return seen() != before

    child = forked(work)
    store.revoke_token(key_of())
    os.write(signal[1], b"x")

    assert exit_code_of(child) == 0


def test_a_lock_that_is_held_at_the_fork_is_the_parents_alone(store, signal):
    os.set_blocking(signal[0], False)

    with locked(store):
        assert in_child(lambda: store.find_client("tester") is not None) == 0
        child = forked(lambda: end_client(store, "tester") and os.write(signal[1], b"x"))
        with pytest.raises(BlockingIOError):
            os.read(signal[0], 1)

    assert exit_code_of(child) == 0
    assert is_dead(store, key_of())


def test_a_lock_that_another_thread_holds_at_the_fork_does_not_hang_the_child(store):
    mine, free = Event(), Event()

    def hold():
        with locked(store):
            mine.set()
            free.wait(20)

    holder = Thread(target=hold)
    holder.start()
    mine.wait(5)
    child = forked(lambda: is_dead(store, key_of()) is False and store.revoke_token(key_of()))
    free.set()

    assert exit_code_of(child) == 0
    holder.join()


@pytest.fixture
def verified(store, clock):
    tokens = OpaqueTokens(store, clock, "")
    return TokenCache(tokens.read, store, size=10, lag=1, grace=0, timeout=2, monotonic=HandClock())


def test_parent_and_child_notice_at_once_what_the_child_revokes(store, clock, verified):
    text = OpaqueTokens(store, clock, "").issue(store.find_client("tester"), (), HOUR).text
    token = verified.find(text, text)

    def work():
        kept = verified.find(text, "") == token
        return kept and store.revoke_token(bytes.fromhex(token.token_id)) and or_none(verified.find, text, "") is None

    assert in_child(work) == 0
    assert or_none(verified.find, text, "") is None


def test_a_poll_of_another_thread_at_the_fork_does_not_hang_the_child(store, verified, monkeypatch):
    looking, free = Event(), Event()
    verify = store.verify

    def slow_verify():
        monkeypatch.undo()
        looking.set()
        free.wait(20)
        verify()

    monkeypatch.setattr(store, "verify", slow_verify)
    looker = Thread(target=or_none, args=(verified.find, "unknown", ""))
    looker.start()
    looking.wait(5)
    child = forked(lambda: or_none(verified.find, "unknown", "") is None)
    free.set()

    assert exit_code_of(child) == 0
    looker.join()


def test_threads_that_open_the_store_at_once_after_a_fork_all_succeed(store):
    store.find_client("tester")

    def work():
        sys.setswitchinterval(1e-5)
        start = Barrier(8)

        def find(_):
            start.wait()
            return store.find_client("tester") is not None

        with ThreadPoolExecutor(8) as pool:
            return all(pool.map(find, range(8)))

    assert [in_child(work) for _ in range(15)] == [0] * 15


LIVE = """
from oauth_mw.model import Client
store.add_client(Client("tester", ""))
before = store.read_log("", -1)
child = os.fork()
if child == 0:
    end_client(store, "tester")
    sys.exit(0)  # with all that an interpreter tidies up
os.waitpid(child, 0)
end_client(store, "tester")
print(len(store.read_log(before.store_id, before.position).events), flush=True)
"""


def test_a_child_that_ends_in_order_leaves_the_parents_locks_and_files_alone(store):
    with Processes(store.url) as start:
        parent = start(LIVE)
        assert parent.says() == "2"
        assert parent.ends() == 0

    assert not is_dead(store, issued(store, number=1))
    assert log_of(store).position > 0


def test_what_a_child_wrote_outlives_its_parents_connections(store):
    # SQLite keeps its locks by process: a child that inherits an open database believes to hold its parent's.
    key, (parent, child_end) = issued(store, number=2), socket.socketpair()

    def work():
        store.find_client("tester")
        child_end.send(b"open")
        child_end.recv(9)
        return end_client(store, "tester")

    child = forked(work)
    parent.recv(9)
    store.close()
    parent.send(b"closed")
    code = exit_code_of(child)
    parent.close()
    child_end.close()

    with closing(open_store(store.url)) as seen:
        assert (code, is_dead(seen, key)) == (0, True)


# What children do that use the store while their parent writes takes long to show.
CHILDREN = [False, pytest.param(True, marks=pytest.mark.long)]


@pytest.mark.parametrize("child_uses_it", CHILDREN, ids=["an idle child", "a child that uses the store"])
def test_requests_of_the_parent_succeed_while_it_forks_and_no_child_damages_the_database(store, child_uses_it):
    stop, before = Event(), log_of(store).store_id

    def in_use():
        if not child_uses_it:
            return True
        with suppress(StoreUnavailable):
            issued(store, number=os.getpid())
            end_client(store, "tester")
        return True

    def work(number):
        while not stop.is_set():
            issued(store, number=number)
            end_client(store, "tester")
            number += 4

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(10, 14)]
        try:
            for _ in range(50):
                assert in_child(in_use) == 0
        finally:
            stop.set()

    assert [each.result() for each in working] == [None] * 4
    assert log_of(store).store_id == before  # no follower has to begin anew
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_thread_that_opens_the_store_while_another_forks_has_no_error(store):
    stop = Event()

    def reopen():
        while not stop.is_set():
            store.close()
            end_client(store, "tester")

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(reopen)
        try:
            assert [in_child(lambda: True) for _ in range(50)] == [0] * 50
        finally:
            stop.set()

    assert working.result() is None


def test_what_was_in_use_at_a_fork_is_closed_when_it_is_returned(store, open_files, counter):
    with store.engine.reading():
        in_child(lambda: True)

    assert set(open_files()) == {str(counter)}
