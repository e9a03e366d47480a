"""The counter file beside the database."""

from __future__ import annotations

import os
import stat
from contextlib import closing

import pytest

from helpers.builders import issued
from helpers.changes import end_client
from helpers.processes import Processes
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.change_counter import CounterFile

pytest.importorskip("fcntl")

SIZE = 4096


def mode_of(file):
    return stat.S_IMODE(file.stat().st_mode)


def test_every_file_is_its_owners_alone(store, path):
    assert {file.name: mode_of(file) for file in path.parent.iterdir()} == dict.fromkeys(
        ["oauth.db", "oauth.db-oauth_mw", "oauth.db-shm", "oauth.db-wal"], 0o600
    )


@pytest.mark.parametrize(
    ("mode", "writers"), [(0o600, 0o600), (0o660, 0o660), (0o666, 0o666), (0o644, 0o600), (0o664, 0o660)]
)
def test_the_counter_is_open_to_those_that_may_write_an_existing_database(path, counter, mode, writers):
    path.touch()
    path.chmod(mode)

    open_store(f"sqlite:///{path}", create=True).close()

    assert (mode_of(counter), mode_of(path)) == (writers, mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_counter_has_owner_and_group_of_an_existing_database(path, counter):
    path.touch()
    os.chown(path, 12345, 54321)

    open_store(f"sqlite:///{path}", create=True).close()

    assert (counter.stat().st_uid, counter.stat().st_gid) == (12345, 54321)


def test_the_counter_is_kept_when_the_store_is_opened_again(path, counter, store):
    inode = counter.stat().st_ino
    end_client(store, "tester")
    before = counter.read_bytes()

    open_store(f"sqlite:///{path}", create=True).close()

    assert (counter.stat().st_ino, len(before), counter.read_bytes()) == (inode, SIZE, before)


def test_a_new_counter_is_never_taken_for_the_one_before(path, counter, store):
    before = CounterFile(str(path), 5).read()
    counter.unlink()

    assert CounterFile(str(path), 5).read() != before


def test_every_opener_reads_the_same_number(path, store):
    one, two = CounterFile(str(path), 5), CounterFile(str(path), 5)
    before = two.read()

    one.bump()

    assert two.read() == one.read() != before


def test_an_issue_makes_no_worker_read_the_log(store):
    before = store.generation()

    issued(store)

    assert store.generation() == before


MAKE = """
from oauth_mw.model import Client
store.add_client(Client(sys.stdin.readline(), ""))
print(store.read_log("", -1).store_id, store.generation(), flush=True)
sys.stdin.readline()
"""


def test_processes_that_make_a_store_at_once_share_it_and_its_counter(path, counter):
    with Processes(f"sqlite:///{path}") as start:
        makers = [start.fork(MAKE) for _ in range(4)]
        answers = [maker.answers(f"client {number}") for number, maker in enumerate(makers)]

    assert answers[0] and set(answers) == {answers[0]}
    assert counter.stat().st_size == SIZE
    assert not [file for file in path.parent.iterdir() if file.name.count(".") > 1]


def test_a_counter_that_is_too_short_is_an_outage(counter, store):
    store.close()
    os.truncate(counter, 0)

    with pytest.raises(StoreUnavailable):
        store.find_client("tester")


def test_two_names_of_one_database_share_the_counter(path, store, tmp_path):  # releases that link to one shared file
    link = tmp_path / "release" / "oauth.db"
    link.parent.mkdir()
    link.symlink_to(path)

    with closing(open_store(f"sqlite:///{link}")) as other:
        other.find_client("tester")
        before = other.generation()
        end_client(store, "tester")
        assert other.generation() != before
