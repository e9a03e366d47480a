"""A start on a store that cannot be used any more: an outage, where its counter file shows that it was used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pwd import getpwnam
from tempfile import TemporaryDirectory

import pytest

from helpers.builders import registered
from helpers.mounts import read_only, why_no_mounts
from helpers.processes import exit_code_of, forked
from oauth_mw import ConfigError, StoreUnavailable, open_store

pytest.importorskip("fcntl")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "oauth.db"


@pytest.fixture
def store(path, clock):
    with closing(open_store(f"sqlite:///{path}", create=True, clock=clock)) as store:
        store.add_client(registered())
        yield store


@pytest.fixture
def spoiled(path, store):
    """A store that is no database any more; its counter is still there."""
    store.close()
    whole = path.read_bytes()
    path.write_bytes(b"no database" * 99)
    return whole


def test_a_start_on_a_store_that_was_damaged_is_an_outage_until_it_is_mended(path, store, spoiled):
    told = []
    again = open_store(store.url, create=True, unavailable=told.append)

    with closing(again):
        with pytest.raises(StoreUnavailable):
            again.find_client("tester")
        path.write_bytes(spoiled)
        assert again.find_client("tester")
    assert [error.reason for error in told] == [f"store: {path} is not an SQLite database"]


def test_after_such_a_start_nothing_is_made_in_the_place(path, store, spoiled):
    again = open_store(store.url, create=True, unavailable=lambda error: None)
    path.write_bytes(b"")

    with closing(again), pytest.raises(StoreUnavailable, match="holds no oauth_mw store"):
        again.find_client("tester")


@pytest.mark.parametrize("without", ["counter", "patience"])
def test_a_damaged_store_is_refused_where_nothing_shows_that_it_was_used(path, store, spoiled, without):
    if without == "counter":
        os.unlink(f"{path}-oauth_mw")

    with pytest.raises(ConfigError if without == "counter" else StoreUnavailable, match="is not an SQLite database"):
        open_store(store.url, create=True)


def refused_to_nobody(url):
    os.setuid(getpwnam("nobody").pw_uid)
    with pytest.raises(ConfigError, match="is not writable"):
        open_store(url, create=True)
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_store_of_another_user_that_this_one_may_not_write_is_refused(store):
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        url = f"sqlite:///{folder}/oauth.db"
        open_store(url, create=True).close()
        child = forked(lambda: refused_to_nobody(url))

        assert exit_code_of(child) == 0


@pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())
def test_a_start_on_a_file_system_that_became_read_only_is_an_outage(path, store):
    store.close()

    assert "is not writable" in read_only(path.parent, START, store.url)


START = """
import sys
from oauth_mw import StoreUnavailable, open_store
told = []
store = open_store(sys.argv[1], create=True, unavailable=told.append)
print(told[0].reason)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows nobody what is open")
def test_what_is_refused_for_a_garbled_number_leaves_nothing_open(path, store):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE oauth_mw_nonce SET nonce = 'x'")
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            store.verify()

    assert len(os.listdir("/proc/self/fd")) <= before + 3
