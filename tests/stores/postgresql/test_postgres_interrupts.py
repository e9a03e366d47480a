"""An operation that is interrupted or cut off leaves a usable connection or none, and no other caller waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from helpers.builders import issued, key_of
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw, backend_of
from helpers.processes import Processes
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.errors import NotSent
from oauth_mw.stores.sql.postgresql.engine import CONNECTIONS

pytestmark = pytest.mark.slow

TIMEOUT = 1.0


@pytest.fixture
def store(postgres_url, elsewhere):
    issued(elsewhere)
    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        yield store


@contextmanager
def locked(url):
    """A context manager in which another client holds the write lock."""
    with Raw(url) as other:
        other("BEGIN")
        other("SELECT 1 FROM oauth_mw_store FOR UPDATE")
        yield


@contextmanager
def interrupted_by(error, raw):
    """Raise ``error`` in the main thread, from a signal's handler, once a statement waits in the server."""
    waiting_before = raw.waiting()  # earlier ones go on for a while

    def interrupt():
        wait_until(lambda: raw.waiting() - waiting_before, "a statement that waits")
        os.kill(os.getpid(), signal.SIGUSR1)

    def handler(number, frame):
        raise error

    before = signal.signal(signal.SIGUSR1, handler)
    thread = Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)


def test_interruptions_pass_at_once_and_use_no_connection_up(store, raw, postgres_url):
    errors = [KeyboardInterrupt, SystemExit, ZeroDivisionError]
    with locked(postgres_url):
        for number in range(CONNECTIONS + 2):
            error = errors[number % len(errors)]
            with interrupted_by(error, raw), pytest.raises(error):
                end_client(store, "tester")

    assert store.revoke_token(key_of())


def test_an_error_within_a_transaction_undoes_it_and_leaves_the_connection(store):
    before = backend_of(store)

    def change(client):
        raise LookupError

    with pytest.raises(LookupError):
        store.update_client("tester", change)

    assert store.revoke_token(key_of())
    assert backend_of(store) == before


def test_a_writer_that_waits_too_long_keeps_its_connection(store, postgres_url):
    before = backend_of(store)

    with locked(postgres_url), pytest.raises(NotSent, match="lock timeout"):
        store.revoke_token(key_of())

    assert store.revoke_token(key_of())
    assert backend_of(store) == before


def test_a_statement_that_timed_out_ends_in_the_server_too(store, raw, postgres_url):
    with Raw(postgres_url) as other:
        other("BEGIN")
        other("LOCK TABLE oauth_mw_tokens")
        with pytest.raises(StoreUnavailable):
            store.find_token(key_of())

        wait_until(lambda: not raw.waiting(), "the end of the statement")


def test_writers_that_wait_leave_the_connections_to_readers(store, raw, postgres_url):
    def end():
        with pytest.raises(StoreUnavailable):
            end_client(store, "tester")

    with ThreadPoolExecutor(CONNECTIONS + 4) as threads:
        with locked(postgres_url):
            ends = [threads.submit(end) for _ in range(CONNECTIONS + 4)]
            wait_until(raw.waiting, "a statement that waits")
            assert store.find_client("tester")
            for each in ends:
                each.result()


STOPPED = """
with store.engine.transaction():
    print("inside", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""
KILLED = """
with store.engine.transaction() as connection:
    store._log.append(connection, "tester")
    print("inside", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_stopped_within_a_transaction_holds_others_up_for_a_limited_time(store, postgres_url):
    with Processes(postgres_url) as start, closing(open_store(postgres_url, timeout=30)) as patient:
        # Its timeout is that of its store.
        stopped = start("store.engine.close(); store = open_store(sys.argv[1], timeout=0.3)\n" + STOPPED)
        assert stopped.says() == "inside"

        assert patient.revoke_token(key_of())


def test_a_process_that_is_killed_within_a_transaction_has_changed_nothing(store, postgres_url):
    before = store.read_log("", -1)
    with Processes(postgres_url) as start:
        killed = start(KILLED)
        assert killed.says() == "inside"
        assert killed.ends() == -signal.SIGKILL

        wait_until(lambda: end_client(store, "tester"), "the end of its session")
    assert len(store.read_log(before.store_id, before.position).events) == 1


def test_a_store_that_is_never_closed_ends_quietly_with_its_program(postgres_url, store):
    code = "import sys; from oauth_mw import open_store; store = open_store(sys.argv[1]); store.find_client('tester')"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-X", "dev", "-c", code, postgres_url], capture_output=True, text=True
    )

    assert (done.returncode, "ResourceWarning" in done.stderr, "Exception" in done.stderr) == (0, False, False)


GREENLETS = """
    from gevent import monkey; monkey.patch_all()
    import gevent, sys
    from helpers.changes import end_client
    from oauth_mw import StoreUnavailable, open_store
    store = open_store(sys.argv[1], timeout=4)  # a machine may be busy

    def read():
        return store.find_client("tester") is not None

    def end():
        try:
            return end_client(store, "tester")
        except StoreUnavailable:
            return "unavailable"

    def cut_off():
        with gevent.Timeout(0.05, False):
            end_client(store, "tester")
        return "cut off"

    def all_of(work, count):
        greenlets = [gevent.spawn(work) for _ in range(count)]
        gevent.joinall(greenlets)
        return {each.get() for each in greenlets}

    found = [all_of(read, 40), all_of(end, 10)]
    with store.engine._pool.writers:
        found += [all_of(cut_off, 40), all_of(end, 10), all_of(read, 40)]
    with store.engine.transaction():
        store.engine._pool.writers = __import__("threading").Lock()  # so that they wait in the server
        found += [all_of(cut_off, 40), all_of(read, 40)]
    found += [all_of(end, 10)]
    print(found, flush=True)
    sys.stdin.readline()
"""


def test_greenlets_share_the_connections_and_may_be_cut_off(store, raw, postgres_url):
    pytest.importorskip("gevent")
    before = raw.backends()
    command = [sys.executable, "-c", textwrap.dedent(GREENLETS), postgres_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        found, count = process.stdout.readline(), len(raw.backends() - before)
        process.stdin.close()

    expected = [{True}, {True}, {"cut off"}, {"unavailable"}, {True}, {"cut off"}, {True}, {True}]
    assert (found, process.returncode) == (f"{expected}\n", 0)
    assert 0 < count <= CONNECTIONS
