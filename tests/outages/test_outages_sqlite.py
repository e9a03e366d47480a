"""What can happen to an SQLite store alone."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from faults import READS, WRITES
from service import DONE, REFUSED, UNAVAILABLE
from sqlite_faults import damaged, files, moved

from helpers.mounts import mounted, why_no_mounts
from helpers.processes import Processes
from oauth_mw import ConfigError, open_store
from oauth_mw.stores.sql.sqlite.change_counter import SUFFIX, CounterFile

pytest.importorskip("fcntl")
pytestmark = pytest.mark.parametrize("engine", ["sqlite"])

SIZE = 4096


@pytest.fixture
def once_a_second(monkeypatch, service):
    """Who only reads looks at the files as seldom as in a server, not at each request as in the other tests."""
    monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.CHECK_SECONDS", 1.0)
    service.ask("introspect")


def names(site):
    return sorted(path.name for path in site.folder.iterdir())


# Files that were exchanged


def test_who_only_reads_notices_within_a_second_that_the_files_are_gone(site, service, once_a_second, monkeypatch):
    with moved(site, files):
        monkeypatch.setattr("oauth_mw.stores.sql.sqlite.engine.monotonic", lambda: time.monotonic() + 1.0)
        assert service.ask("introspect") == UNAVAILABLE


def test_another_store_in_the_place_knows_none_of_the_tokens_until_the_old_one_is_back(site, service):
    with moved(site, files):
        open_store(site.url, create=True).close()
        service.later()
        during = service.check(service.cached)
        for path in files(site):
            path.unlink()
    service.later()

    assert (during, service.check(service.cached)) == (REFUSED, DONE)


@pytest.mark.parametrize("gone", [["-wal"], ["-shm"], ["-wal", "-shm"]], ids="and".join)
def test_nothing_is_acknowledged_into_a_log_of_sqlites_that_was_removed(site, service, start, once_a_second, gone):
    for suffix in gone:
        os.unlink(f"{site.path}{suffix}")
    said = [service.ask("revoke"), service.ask("revoke")]
    other = start()

    assert said == [UNAVAILABLE, DONE]
    assert [other.check(token) for token in (service.doomed, service.ended, service.unseen)] == [REFUSED, REFUSED, DONE]


def test_of_many_connections_none_remembers_the_damage(site, service):
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(service.store._engine.reading())
    with damaged(site, begin=4096, end=-1), ThreadPoolExecutor(3) as pool:
        list(pool.map(service.ask, ["introspect"] * 3))

    assert service.ask_all() == dict.fromkeys(READS | WRITES, DONE)


@pytest.fixture
def backup(site, service):
    """One that was made before the newest token was issued and seen."""
    with closing(sqlite3.connect(site.path)) as database, closing(sqlite3.connect(f"{site.folder}.copy")) as copy:
        database.backup(copy)
    service.issue()
    assert service.check(service.issued[-1]) == DONE
    return site.folder.with_name(site.folder.name + ".copy")


def restored_by_sqlite(site, backup):
    with closing(sqlite3.connect(backup)) as copy, site.sql() as database:
        copy.backup(database)


def renamed_over(site, backup):
    for path in files(site):
        if path.suffix != f".db{SUFFIX}":
            path.unlink()
    backup.rename(site.path)


@pytest.mark.parametrize("restore", [restored_by_sqlite, renamed_over])
def test_no_worker_accepts_what_a_restored_backup_does_not_hold(site, service, backup, restore):
    restore(site, backup)
    service.later()

    assert [service.check(token) for token in (service.issued[-1], service.cached)] == [REFUSED, DONE]
    assert service.ask_all() == dict.fromkeys(READS | WRITES, DONE)


OPEN = "import sys; from oauth_mw import open_store; print(open_store(sys.argv[1]).url)"


@pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())
def test_a_worker_neither_accepts_nor_issues_once_the_database_is_used_by_another_name(site, service, caplog):
    other = site.aside / "oauth.db"
    service.store.close()  # while a worker has it open, no other name is opened

    assert mounted(site.path, other, OPEN, f"sqlite:///{other}", hidden=True) == f"sqlite:///{other}\n"

    assert service.ask_all() == dict.fromkeys(READS | WRITES, UNAVAILABLE)
    assert "mount its folder, not the file" in caplog.text


# Turns


@pytest.mark.parametrize("timeout", [1.0])  # a request may begin a good part of it late
def test_a_turn_that_begins_badly_is_given_back(site, service, timeout):
    # SQLite itself refuses to be told that less time is left.
    def authorize(action, name, *others):
        return sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_PRAGMA, "busy_timeout") else sqlite3.SQLITE_OK

    held = service.store._engine._current(time.monotonic() + 1)
    link = held.take(time.monotonic() + 1)
    link.driver.set_authorizer(authorize)
    held.put_back(link, None)
    held.lock(time.monotonic() + timeout)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(service.ask, "issue")
        time.sleep(timeout / 2)
        held.unlock()

    assert [late.result(), service.ask("issue")] == [UNAVAILABLE, DONE]


# What is no store is left as it is


def no_database(path):
    path.write_text("no database " * 99)


def newer_schema(path):
    open_store(f"sqlite:///{path}", create=True).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE oauth_mw_store SET version = 99")
    os.unlink(f"{path}{SUFFIX}")


@pytest.mark.parametrize("make", [no_database, newer_schema])
def test_a_start_puts_nothing_beside_a_file_that_it_refuses(site, make):
    make(site.path)

    with pytest.raises(ConfigError):
        open_store(site.url, create=True)

    assert names(site) == ["oauth.db"]


# The counter file


def test_half_a_counter_is_none(site):
    site.path.touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, hard))  # as where the disk is full
    try:
        with pytest.raises(OSError):
            CounterFile(str(site.path), 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert names(site) == ["oauth.db"]


def no_links(source, target):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_file_system_without_hard_links_has_a_counter_too(site, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)

    open_store(site.url, create=True).close()

    assert names(site) == ["oauth.db", "oauth.db" + SUFFIX]


def test_without_hard_links_too_the_counter_of_a_faster_process_stays(site, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    site.path.touch()
    first, exists = CounterFile(str(site.path), 5), os.path.exists
    # As if it had been made right after the second one had looked.
    answers = iter([False])
    monkeypatch.setattr(os.path, "exists", lambda path: next(answers, True) and exists(path))

    assert CounterFile(str(site.path), 5).read() == first.read()


CREATE = """
import errno
from oauth_mw.stores.sql.sqlite.change_counter import CounterFile
def link(source, target):
    raise OSError(errno.EPERM, "no links here")
os.link = link
sys.stdin.readline()
counter = CounterFile({path!r}, 5)
print(counter.read(), os.fstat(counter._mapped.fd).st_ino, flush=True)
"""


@pytest.mark.slow
def test_creators_at_once_have_one_counter_without_hard_links(site, tmp_path):
    (tmp_path / "other.db").touch()
    with Processes(site.url) as start:
        creators = [start(CREATE.format(path=str(tmp_path / "other.db"))) for _ in range(4)]
        for creator in creators:
            creator.hears()
        seen = {creator.says() for creator in creators}

    assert len(seen) == 1 and "" not in seen
