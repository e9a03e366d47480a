"""Only a process that may write can hold the write lock, and only for as long as it lives."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pwd import getpwnam

import pytest

from helpers.builders import key_of, registered, token_of
from helpers.changes import end_client, locked
from helpers.processes import exit_code_of, forked
from oauth_mw import StoreUnavailable, admin, open_store

pytest.importorskip("fcntl")
pytestmark = pytest.mark.usefixtures("key")

TIMEOUT = 2.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

# A worker in the middle of a write, and a child of it, forked as a server that is written in C does, without the hooks
# of Python. The child outlives the worker.
IN_C = """
import ctypes, time
libc = ctypes.CDLL(None)
with store.engine.writing():
    if libc.fork() == 0:
        libc.dprintf(1, b"%d\\n", libc.getpid())
        libc.sleep(50)
        libc._exit(0)
    time.sleep(50)
"""
# A worker that forked before it wrote.
BEFORE = """
import time
from multiprocessing import get_context
store.find_client("tester")
child = get_context("fork").Process(target=time.sleep, args=(50,))
child.start()
with store.engine.writing():
    print(child.pid, flush=True)
    time.sleep(50)
"""


@pytest.mark.parametrize("code", [IN_C, BEFORE], ids=["fork in C", "fork before"])
def test_a_child_of_a_killed_writer_does_not_keep_the_queue(store, start, code):
    worker = start.fork(code)
    child = int(worker.says())
    try:
        os.kill(worker.pid, 9)

        assert store.revoke_token(key_of())
    finally:
        os.kill(child, 9)


@pytest.mark.slow
def test_a_child_that_ends_does_not_free_the_queue_of_its_parent(store):
    with closing(open_store(store.url, timeout=0.2)) as other, locked(store):
        assert exit_code_of(forked(lambda: store.find_client("tester"))) == 0
        assert exit_code_of(forked(lambda: refused(other))) == 0


def test_a_store_that_a_child_inherited_and_closes_does_not_free_the_queue_of_another(store):
    inherited = [open_store(store.url)]
    inherited[0].find_client("tester")

    def work():
        with closing(open_store(store.url, timeout=0.2)) as other, locked(store):
            inherited.pop().close()
            return exit_code_of(forked(lambda: refused(other))) == 0

    assert exit_code_of(forked(work)) == 0


def refused(store):
    with pytest.raises(StoreUnavailable, match="write lock was not acquired"):
        store.add_token(key_of(1), token_of(registered()))
    return True


@pytest.mark.slow
def test_two_stores_of_one_process_queue_too_and_neither_frees_the_queue_of_the_other(store, start):
    other = open_store(store.url, timeout=0.2)
    with store.engine.writing():
        assert refused(other)
        other.close()
        late = start(
            "store.engine.timeout = 0.2\n"
            "try:\n    store.engine.writing().__enter__()\nexcept Exception as error:\n    print(error, flush=True)"
        )

        assert late.says() == "the SQLite write lock was not acquired within 0.2 s: another process holds it"


FILL = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 16000)
    INSERT INTO oauth_mw_tokens
    SELECT CAST(x'00000001' || randomblob(28) AS BLOB), 1, '', 0, 0, 0, NULL FROM number
"""


def test_others_write_while_a_purge_writes_the_wal_file_back(store):
    written = []

    def meanwhile(statement):
        if "wal_checkpoint" in statement:
            other.add_token(key_of(len(written) + 1), token_of(registered()))
            written.append(statement)

    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as database, database:
        database.execute(FILL)
    with store.engine.reading() as link:
        link.driver.set_trace_callback(meanwhile)
    with closing(open_store(store.url, timeout=0.2)) as other:
        assert sum(admin.purge(store)) == 16000

    assert len(written) == 1


# Users that may only read


@pytest.fixture
def readable(public_folder):
    """The path of a store that all may read."""
    path = public_folder / "oauth.db"
    path.touch(0o644)
    path.chmod(0o644)
    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        store.add_client(registered())
    return path


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o644], ids=["made now", "made by an older version"])
def test_a_user_that_may_only_read_the_database_cannot_open_the_queue(readable, as_nobody, mode):
    counter = f"{readable}-oauth_mw"
    os.chmod(counter, mode)

    def try_it():
        for flags in (os.O_RDONLY, os.O_RDWR):
            with pytest.raises(PermissionError):
                os.open(counter, flags)
        with pytest.raises(StoreUnavailable, match="readonly database"):
            open_store(f"sqlite:///{readable}")
        return True

    with closing(open_store(f"sqlite:///{readable}")) as store:
        assert as_nobody(try_it) == 0
        assert end_client(store, "tester")


# Other files in the place of the counter


@pytest.fixture
def closed(store):
    store.close()
    return store


@pytest.fixture
def victim(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious" * 1024)
    return victim


def linked(counter, victim):
    counter.symlink_to(victim)


PLACED = {
    "a link": (linked, "is a link or no regular file"),
    "a link to nothing": (lambda counter, victim: counter.symlink_to("nowhere"), "is a link or no regular file"),
    "a folder": (lambda counter, victim: counter.mkdir(), "is a link or no regular file"),
    "a pipe": (lambda counter, victim: os.mkfifo(counter), "is a link or no regular file"),
    "a hard link": (lambda counter, victim: os.link(victim, counter), r"has a second name \(a hard link\)"),
    "a short file": (lambda counter, victim: counter.touch(), "is too short"),
}


@pytest.mark.parametrize(("place", "message"), PLACED.values(), ids=PLACED)
def test_what_was_put_in_the_place_of_the_counter_is_not_written_into(closed, counter, victim, place, message):
    before = victim.read_bytes()
    counter.unlink()
    place(counter, victim)

    with pytest.raises(StoreUnavailable, match=f"-oauth_mw {message}: remove it"):
        end_client(closed, "tester")

    assert victim.read_bytes() == before


@pytest.mark.parametrize("place", [linked, lambda counter, victim: counter.symlink_to(counter.name + ".x")])
def test_a_link_is_noticed_while_the_store_is_open(store, counter, victim, place):
    store.find_client("tester")
    shutil.copy(counter, f"{counter}.x")
    counter.unlink()
    place(counter, victim)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            end_client(store, "tester")


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_root_takes_no_counter_of_another_user_than_the_database(closed, path, mode):
    os.chown(path, getpwnam("nobody").pw_uid, -1)
    path.chmod(mode)

    with pytest.raises(StoreUnavailable, match="belongs to user 0, the database to user"):
        end_client(closed, "tester")


@as_root
@pytest.mark.parametrize(("mode", "code"), [(0o600, 1), (0o660, 0)])
def test_other_users_share_a_counter_only_where_others_may_write_the_database(readable, as_nobody, mode, code):
    """The first of them that needed a counter made it."""
    user = getpwnam("nobody")
    for each, owner in ((readable.parent, user.pw_uid), (readable, user.pw_uid), (f"{readable}-oauth_mw", 12345)):
        os.chown(each, owner, user.pw_gid)
    readable.chmod(mode)
    os.chmod(f"{readable}-oauth_mw", 0o666)

    def work():
        with closing(open_store(f"sqlite:///{readable}")) as store:
            return end_client(store, "tester")

    assert as_nobody(work) == code


def test_a_draft_of_the_counter_that_a_killed_maker_left_is_removed(closed, counter):
    draft = counter.with_name(counter.name + ".1.2")
    os.link(counter, draft)

    assert end_client(closed, "tester")

    assert not draft.exists()


def test_without_its_counter_a_store_is_opened_again_after_the_wrong_one_was_removed(closed, counter, victim):
    counter.unlink()
    linked(counter, victim)
    with pytest.raises(StoreUnavailable):
        closed.verify()
    counter.unlink()

    assert end_client(closed, "tester")
    assert stat.S_ISREG(counter.lstat().st_mode)
