"""The counter file beside the database."""

from __future__ import annotations

import os
import stat
from contextlib import closing

import pytest

from helpers.builders import issued, registered
from helpers.changes import end_client
from helpers.processes import Processes
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.change_counter import CounterFile

pytest.importorskip("fcntl")

SIZE = 4096
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "oauth.db"


@pytest.fixture
def counter(path):
    return path.with_name("oauth.db-oauth_mw")


@pytest.fixture
def store(path):
    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        store.add_client(registered())
        yield store


def mode_of(file):
    return stat.S_IMODE(file.stat().st_mode)


def test_every_file_is_its_owners_alone(store, tmp_path):
    assert {file.name: mode_of(file) for file in tmp_path.iterdir()} == dict.fromkeys(
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


@as_root
def test_the_counter_has_owner_and_group_of_an_existing_database(path, counter):
    path.touch()
    os.chown(path, 12345, 54321)

    open_store(f"sqlite:///{path}", create=True).close()

    assert (counter.stat().st_uid, counter.stat().st_gid) == (12345, 54321)


def test_the_counter_is_kept_when_the_store_is_opened_again(path, counter, store):
    end_client(store, "tester")
    before = counter.stat().st_ino, counter.read_bytes()

    open_store(f"sqlite:///{path}", create=True).close()

    assert (counter.stat().st_ino, counter.read_bytes()) == before


def test_the_counter_has_its_whole_size_and_is_never_rewritten(counter, store):
    before = counter.stat().st_ino
    for _ in range(3):
        end_client(store, "tester")

    assert (counter.stat().st_size, counter.stat().st_ino) == (SIZE, before)


def test_a_new_counter_is_never_taken_for_the_one_before(path, counter, store):
    before = CounterFile(str(path), 5).read()
    counter.unlink()

    assert CounterFile(str(path), 5).read() != before


def test_every_opener_reads_the_same_number(path, store):
    one, two = CounterFile(str(path), 5), CounterFile(str(path), 5)
    before = two.read()

    one.bump()

    assert two.read() == one.read() != before


def test_an_issue_makes_no_worker_look(store):
    before = store.generation()

    issued(store)

    assert store.generation() == before


CREATE = """
from oauth_mw.stores.sql.sqlite.change_counter import CounterFile
sys.stdin.readline()
counter = CounterFile(sys.argv[2], 5)
print(counter.read(), os.fstat(counter._mapped.fd).st_ino, os.fstat(counter._mapped.fd).st_size, flush=True)
"""


@pytest.mark.slow
def test_creators_at_once_all_have_the_same_complete_file(path, counter, store, tmp_path):
    other = tmp_path / "other.db"
    other.touch()
    with Processes(store.url) as start:
        creators = [start(CREATE.replace("sys.argv[2]", repr(str(other)))) for _ in range(4)]
        for creator in creators:
            creator.hears()
        seen = {creator.says() for creator in creators}

    made = other.with_name("other.db-oauth_mw")
    assert [line.split()[1:] for line in seen] == [[str(made.stat().st_ino), str(SIZE)]]
    assert sorted(file.name for file in tmp_path.glob("other*")) == ["other.db", "other.db-oauth_mw"]


MAKE = "store.add_client(Client(sys.stdin.readline(), '')); print(store.read_log('', -1).store_id, flush=True)"


@pytest.mark.slow
def test_processes_that_make_a_store_at_once_share_one(path, tmp_path):
    with Processes(f"sqlite:///{path}") as start:
        makers = [start("from oauth_mw.model import Client\n" + MAKE) for _ in range(4)]
        ids = [maker.answers(f"client {number}") for number, maker in enumerate(makers)]

    assert ids[0] and set(ids) == {ids[0]}
    assert not [file for file in tmp_path.iterdir() if file.name.count(".") > 1]


def test_a_counter_that_is_too_short_is_an_outage(path, store):
    store.close()
    os.truncate(f"{path}-oauth_mw", 0)

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
