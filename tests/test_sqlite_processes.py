"""One SQLite store and several processes: forks, the writers' queue, and a platform without ``fcntl``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oauth_mw import StoreUnavailable, open_store
from oauth_mw.model import Client, Store, TokenRecord

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
pytestmark = posix

CLIENT = Client("reader", "Reader", ("read",))
LIVE = (2**32 - 1).to_bytes(4) + bytes(28)
TOKEN = TokenRecord("reader", "read", 0, 0)

START = """
import sys, os
from oauth_mw.stores import open_store
from oauth_mw.model import TokenRecord
store = open_store(sys.argv[1], create=True)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/oauth.db"


@pytest.fixture
def made(url: str) -> Any:
    store = open_store(url, create=True, timeout=1.0)
    store.add_client(CLIENT)
    yield store
    store.close()


@pytest.fixture
def run(url: str) -> Any:
    """Run Python code with ``store`` in a process of its own; its standard input and output are pipes."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, before: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", before + START + code, url]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def in_child(work: Callable[[], object]) -> int:
    """The exit code of a forked child that does ``work``: 0 when it returns true."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_no_connection_crosses_a_fork(made: Any):
    made.find_client("reader")
    before = made._engine._here()

    def child() -> bool:
        made.find_client("reader")
        return made._engine._here() is not before and made.revoke_token(LIVE) is False

    assert in_child(child) == 0


def test_a_fork_leaves_the_parents_connections_alone(made: Store):
    made.add_token(LIVE, TOKEN)

    in_child(lambda: made.find_token(LIVE))

    assert made.revoke_token(LIVE) is True


def test_a_lock_that_was_held_at_the_fork_does_not_hang_the_child(made: Any):
    with made._engine.writing():
        child = os.fork()
        if child == 0:
            os._exit(0 if made.find_client("reader") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_childs_revocation_moves_the_parents_generation(made: Store):
    made.add_token(LIVE, TOKEN)
    before = made.generation()

    in_child(lambda: made.revoke_token(LIVE))

    assert made.generation() != before


def test_many_processes_may_make_the_store_at_once(url: str, run: Any):
    makers = [run("print('made', flush=True); sys.stdin.read()") for _ in range(4)]

    assert [maker.stdout.readline() for maker in makers] == ["made\n"] * 4


ISSUE = """
import secrets
for _ in range(int(sys.stdin.readline())):
    store.add_token(bytes([255]) * 4 + secrets.token_bytes(28), TokenRecord("reader", "read", 0, 0))
print("done", flush=True)
"""


def test_four_processes_issue_at_once_and_lose_nothing(made: Store, run: Any):
    issuers = [run(ISSUE) for _ in range(4)]
    for issuer in issuers:
        issuer.stdin.write("200\n")
        issuer.stdin.flush()

    assert [issuer.stdout.readline() for issuer in issuers] == ["done\n"] * 4
    assert made.count_tokens() == 800


def test_a_stopped_holder_of_the_queue_is_waited_for_no_longer_than_the_timeout(made: Store, run: Any):
    holder = run("with store._engine.writing():\n    print('mine', flush=True)\n    sys.stdin.read()")
    holder.stdout.readline()
    os.kill(holder.pid, signal.SIGSTOP)

    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        made.add_token(LIVE, TOKEN)

    assert time.monotonic() - started < 3
    os.kill(holder.pid, signal.SIGCONT)


def test_a_killed_holder_of_the_queue_leaves_it_free(made: Store, run: Any):
    holder = run("with store._engine.writing():\n    print('mine', flush=True)\n    sys.stdin.read()")
    holder.stdout.readline()
    holder.kill()
    holder.wait()

    made.add_token(LIVE, TOKEN)

    assert made.count_tokens() == 1


def test_a_revoker_killed_before_the_counter_moved_has_still_revoked(made: Store, run: Any):
    made.add_token(LIVE, TOKEN)
    seen, generation = made.read_log("", 0), made.generation()
    revoker = run(
        f"held = store._engine._here()\nheld.counter.bump = lambda: os._exit(9)\nstore.revoke_token({LIVE!r})"
    )
    revoker.wait()

    page = made.read_log(seen.store_id, seen.position)

    assert (revoker.returncode, made.generation() == generation) == (9, True)
    assert [event.key for event in page.events] == [LIVE]


WITHOUT_FCNTL = "import sys\nsys.modules['fcntl'] = None\n"
FOLLOW = """
import time
from oauth_mw.tokens.verified import VerifiedTokens
from oauth_mw.tokens.opaque import OpaqueTokens
tokens = OpaqueTokens(store, time.time, "", "Bearer")
client = store.find_client("reader")
verified = VerifiedTokens(tokens.read, store, size=10, grace=0, timeout=5, monotonic=lambda: 0.0)
text, token = tokens.issue(client, ("read",), 3600)
verified.get("Bearer " + text)
verified.find("Bearer " + text, text)
print(token.token_id, verified.get("Bearer " + text) is not None, flush=True)
sys.stdin.readline()
print(verified.get("Bearer " + text) is not None, flush=True)
"""
REVOKE = "print(store.revoke_token(bytes.fromhex(sys.stdin.readline().strip())), flush=True)"


@pytest.mark.parametrize("before", ["", WITHOUT_FCNTL], ids=["with the counter", "without fcntl"])
def test_a_revocation_by_another_process_is_seen_by_the_next_request(made: Store, run: Any, before: str):
    # The follower's monotonic clock stands still: it has nothing but the generation to learn from.
    follower, revoker = run(FOLLOW, before), run(REVOKE, before)
    token_id, kept = follower.stdout.readline().split()

    revoked = revoker.communicate(token_id + "\n")[0].strip()

    assert (kept, revoked, follower.communicate("now\n")[0].strip()) == ("True", "True", "False")


def test_without_fcntl_no_counter_file_is_made(tmp_path: Path, run: Any):
    code = "store.find_client('x'); store.end_client('x'); print(store.generation() == store.generation(), flush=True)"
    process = run(code, WITHOUT_FCNTL)

    assert process.communicate()[0].strip() == "True"
    assert not (tmp_path / "oauth.db-oauth_mw").exists()
