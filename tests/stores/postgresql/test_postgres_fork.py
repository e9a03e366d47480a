"""What a forked child inherits of PostgreSQL's connections, and what it must not use."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import ExitStack, closing, suppress

import pytest

from helpers.builders import is_dead, issued, key_of, registered
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw, backend_of
from helpers.processes import Processes, exit_code_of, forked
from oauth_mw import open_store
from oauth_mw.stores.sql.postgresql.engine import CONNECTIONS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]

TIMEOUT = 2.0


@pytest.fixture
def store(postgres_url, elsewhere):
    elsewhere.add_client(registered("other"))
    issued(elsewhere)
    elsewhere.close()
    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        yield store


def in_child(work):
    return exit_code_of(forked(work))


def opened():
    """The kernel's names of all that the process has open."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing itself
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the kernel does not show what is open")
def test_a_child_shares_no_socket_with_its_parent(store):
    with store.engine.reading() as link:
        shared = os.readlink(f"/proc/self/fd/{link.driver.fileno()}")

        assert in_child(lambda: shared not in opened()) == 0


ENDS = {
    "closed": lambda store: store.close() or True,
    "dropped": lambda store: store.__dict__.clear() or gc.collect() + 1,
    "used and dropped": lambda store: store.find_client("tester") and (store.__dict__.clear() or gc.collect() + 1),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_end_of_a_child_closes_no_session_of_the_parent(store, end):
    before = backend_of(store)

    assert in_child(lambda: end(store)) == 0
    assert backend_of(store) == before


def test_a_child_that_ends_like_a_program_closes_no_session_of_the_parent(store, postgres_url):
    code = """
        import os, sys
        from helpers.postgres_raw import backend_of
        from oauth_mw import open_store
        store = open_store(sys.argv[1])
        before = backend_of(store)
        child = os.fork()
        if child == 0:
            store.find_client("tester")
            sys.exit(0)
        os.waitpid(child, 0)
        print(backend_of(store) == before)
    """
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(code), postgres_url]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_parent_and_child_can_both_use_the_store(store):
    assert in_child(lambda: end_client(store, "other")) == 0
    assert store.revoke_token(key_of())
    assert in_child(lambda: is_dead(store, key_of())) == 0


def test_what_a_thread_of_the_parent_has_taken_is_free_in_the_child(store):
    """The lock of writers, all connections, and the lock of the first contact."""
    with store.engine.transaction(), ExitStack() as stack:
        for _ in range(CONNECTIONS - 1):
            stack.enter_context(store.engine.reading())
        child = forked(lambda: end_client(store, "other"))  # waits for the parent's transaction, in the server
    assert exit_code_of(child) == 0

    store.close()
    with store.engine._opening[os.getpid()]:
        assert in_child(lambda: store.find_client("tester")) == 0


def test_the_connections_of_a_parent_that_is_killed_do_not_live_on_in_its_child(store, postgres_url):
    code = """
        import os, sys, time
        from helpers.postgres_raw import backend_of
        print(backend_of(store), flush=True)
        child = os.fork()
        if child:
            print(child, flush=True)
        time.sleep(20)
    """
    with Raw(postgres_url) as raw, Processes(postgres_url) as start:
        parent = start(textwrap.dedent(code))
        backend, child = int(parent.says()), int(parent.says())
        try:
            os.kill(parent.pid, signal.SIGKILL)
            wait_until(lambda: backend not in raw.backends(), "the end of the parent's session")
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_fork_past_python_is_noticed(store):
    """As uWSGI forks, without Python's hooks."""
    before = backend_of(store)
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        signal.alarm(20)
        try:
            another = backend_of(store) != before
            store.__dict__.clear()
            gc.collect()
        finally:
            os._exit(0 if another else 1)

    assert exit_code_of(child) == 0
    assert backend_of(store) == before


LATE = """
import os, signal, sys, gevent
from oauth_mw import open_store
store = open_store(sys.argv[1], timeout=10)
child = os.fork()
if not child:
    signal.alarm(20)
    from gevent import monkey; monkey.patch_all()
    jobs = [gevent.spawn(store.find_client, "tester") for _ in range(200)]
    gevent.joinall(jobs)
    os._exit(0 if all(job.value for job in jobs) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_may_turn_threads_into_greenlets_after_the_first_contact(store, postgres_url):
    """As gunicorn's gevent workers do, with --preload."""
    pytest.importorskip("gevent")

    done = subprocess.run([sys.executable, "-c", LATE, postgres_url], capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.stderr) == ("0\n", "")
