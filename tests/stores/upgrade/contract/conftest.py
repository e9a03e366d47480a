"""Some of the suite that every store passes, on a database of schema 2 that held nothing when it was upgraded."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers.upgrading import fill
from oauth_mw import open_store
from oauth_mw.stores import upgrade_store

TABLES = ("secret", "client", "token", "log", "signing_key")


@pytest.fixture
def store(store_url, clock):
    fill(store_url)
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM oauth_mw_{table}")
        connection.execute("UPDATE oauth_mw_store SET position = 0")
    upgrade_store(store_url)
    with closing(open_store(store_url, clock=clock)) as opened:
        yield opened
