"""Faults that only an SQLite store can have."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from faults import READS, WRITES
from service import DONE, REFUSED, UNAVAILABLE
from sqlite_faults import damaged, moved

from oauth_mw import ConfigError, open_store
from oauth_mw.stores.sql.sqlite.change_counter import SUFFIX, CounterFile

pytest.importorskip("fcntl")
pytestmark = pytest.mark.parametrize("engine", ["sqlite"])

SIZE = 4096


@pytest.fixture
def once_a_second(monkeypatch, service):
    """A worker that only reads checks the files once a second, as in a server, not at each request."""
    monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.CHECK_SECONDS", 1.0)
    service.ask("introspect")


def names(site):
    return sorted(path.name for path in site.folder.iterdir())


# Replaced files


def test_a_worker_that_only_reads_notices_missing_files_within_a_second(site, service, once_a_second, monkeypatch):
    with moved(site):
        monkeypatch.setattr("oauth_mw.stores.sql.sqlite.engine.monotonic", lambda: time.monotonic() + 1.0)
        assert service.ask("introspect") == UNAVAILABLE


@pytest.mark.parametrize("gone", [["-wal"], ["-shm"], ["-wal", "-shm"]], ids="and".join)
def test_nothing_is_acknowledged_into_a_log_of_sqlites_that_was_removed(site, service, start, once_a_second, gone):
    for suffix in gone:
        os.unlink(f"{site.path}{suffix}")
    said = [service.ask("revoke"), service.ask("revoke")]
    other = start()

    assert said == [UNAVAILABLE, DONE]
    assert [other.check(token) for token in (service.doomed, service.ended, service.unseen)] == [REFUSED, REFUSED, DONE]


def test_of_many_connections_none_remembers_the_damage(site, service):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(service.ask, ["introspect"] * 12))
        with damaged(site, begin=4096, end=-1):
            list(pool.map(service.ask, ["introspect"] * 3))

    assert service.ask_all() == dict.fromkeys(READS | WRITES, DONE)


def test_no_worker_accepts_what_a_restored_backup_does_not_hold(site, service):
    with closing(sqlite3.connect(f"{site.folder}.copy")) as copy, site.sql() as database:
        database.backup(copy)
        service.issue()
        assert service.check(service.issued[-1]) == DONE
        copy.backup(database)
    service.later()

    assert [service.check(token) for token in (service.issued[-1], service.cached)] == [REFUSED, DONE]
    assert service.ask_all() == dict.fromkeys(READS | WRITES, DONE)


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


@pytest.fixture
def no_links(monkeypatch):
    """A file system without hard links."""

    def refuse(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


def test_without_hard_links_there_is_a_counter_too(site, no_links):
    open_store(site.url, create=True).close()

    assert names(site) == ["oauth.db", "oauth.db" + SUFFIX]


def test_without_hard_links_too_the_counter_of_a_faster_process_is_kept(site, no_links, monkeypatch):
    site.path.touch()
    first, exists = CounterFile(str(site.path), 5), os.path.exists
    # As if it had been created just after the second process had looked.
    answers = iter([False])
    monkeypatch.setattr(os.path, "exists", lambda path: next(answers, True) and exists(path))

    assert CounterFile(str(site.path), 5).read() == first.read()
