"""A fork while another thread opens a connection, and does not get done in the time that a fork waits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest
from sqlalchemy import NullPool, create_engine

from helpers.builders import registered
from helpers.processes import exit_code_of, forked
from oauth_mw import open_store
from oauth_mw.stores.sql.sqlite import fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(fork, "FORK_SECONDS", 0.05)
    with closing(open_store(f"sqlite:///{tmp_path}/oauth.db", create=True, timeout=2.0)) as store:
        store.add_client(registered())
        yield store


@pytest.fixture
def goes_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


@pytest.fixture
def opened(goes_on) -> Iterator[Future[fork.Link]]:
    """A connection that another thread is about to open until it ``goes_on``."""
    begun = Event()

    def connect() -> sqlite3.Connection:
        begun.set()
        goes_on.wait(20)
        return sqlite3.connect(":memory:", check_same_thread=False)

    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(fork.open_link, create_engine("sqlite://", creator=connect, poolclass=NullPool))
        begun.wait(5)
        yield opened
        goes_on.set()
        opened.result().close()


def test_a_connection_that_is_opened_during_a_fork_is_whole(store, opened, goes_on):
    exit_code_of(forked(lambda: True))

    goes_on.set()

    assert opened.result().driver.execute("SELECT 1").fetchone() == (1,)


def test_after_such_a_fork_parent_and_child_open_connections(store, opened, goes_on):
    child = forked(lambda: store.find_client("tester") is not None)
    goes_on.set()

    assert exit_code_of(child) == 0
    assert store.find_client("tester") is not None


def test_another_fork_may_come_meanwhile(store, opened, goes_on):
    codes = [exit_code_of(forked(lambda: exit_code_of(forked(lambda: store.find_client("tester"))) == 0))]
    goes_on.set()
    opened.result()
    codes.append(exit_code_of(forked(lambda: store.find_client("tester"))))

    assert codes == [0, 0]
