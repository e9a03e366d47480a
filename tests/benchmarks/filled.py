"""Stores that hold many live tokens, filled faster than by issuing them."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from oauth_mw import admin, open_store
from oauth_mw.model import Store, TokenRecord
from oauth_mw.stores import schema
from oauth_mw.tokens.opaque import OpaqueTokens

CLIENT_ID = "reports"
SECRET = "7Kq2vX9mB4tR8wZ1nC5yL6hD3sF0gJ"
SCOPE = "reports:read"
LIFETIME = 3600
AT_LEAST_LEFT = 900  # no token may expire while it is measured
SAMPLE = 8192

_FORMAT = OpaqueTokens(open_store("memory://"), time.time, "", "")


@dataclass
class Filled:
    """A store, some of its tokens as text from all over it, and what one takes in the file."""

    store: Store
    database: str
    tokens: list[str]
    bytes_a_token: float


def filled_sqlite(folder: str, count: int) -> Filled:
    database = os.path.join(folder, f"{count}.db")
    store = open_store(f"sqlite:///{database}", create=True)
    _register(store)
    store.close()
    connection = sqlite3.connect(database, isolation_level=None)
    empty = _size(connection, database)
    number, position = connection.execute(
        f"SELECT number, position FROM {schema.client.name}, {schema.store.name} WHERE client_id = ?", (CLIENT_ID,)
    ).fetchone()
    texts: dict[str, bytes] = {}
    now = int(time.time())
    columns = "key, client, scope, issued_at, position, revoked"
    connection.execute("BEGIN")
    connection.executemany(
        f"INSERT INTO {schema.token.name} ({columns}) VALUES (?, {number}, '{SCOPE}', {now}, {position}, 0)",
        ((key,) for key in _keys(count, now, texts)),
    )
    connection.execute("COMMIT")
    size = _size(connection, database)
    connection.close()
    return Filled(store, database, list(texts), (size - empty) / count)


def filled_memory(count: int) -> Filled:
    store = open_store("memory://")
    _register(store)
    texts: dict[str, bytes] = {}
    now = int(time.time())
    client = admin.get_client(store, CLIENT_ID)
    for key in _keys(count, now, texts):
        store.add_token(key, TokenRecord(CLIENT_ID, SCOPE, now, client.position))
    return Filled(store, "", list(texts), 0.0)


def made_up(expires_at: int) -> str:
    """A well-formed token that no store knows."""
    return urlsafe_b64encode(expires_at.to_bytes(4) + secrets.token_bytes(32)).decode()


def key_of(text: str) -> bytes:
    """Where the token lies, or would."""
    key = _FORMAT.storage_key(text)
    assert key is not None
    return key


def _register(store: Store) -> None:
    """A client, and a revocation before any token, so that log positions are as long as in real life."""
    admin.add_client(store, "Reports", scope=SCOPE, client_id=CLIENT_ID, secret=SECRET)
    other = admin.add_client(store, "Somebody else").client
    store.end_client(other.client_id)


def _keys(count: int, now: int, texts: dict[str, bytes]) -> Iterator[bytes]:
    """Keys in the order in which tokens are issued; every so often one whose text is told in ``texts``."""
    step = max(count // SAMPLE, 1)
    for index in range(count):
        expires_at = now + AT_LEAST_LEFT + (LIFETIME - AT_LEAST_LEFT) * index // count
        if index % step:
            yield expires_at.to_bytes(4) + secrets.token_bytes(28)
        else:
            text = made_up(expires_at)
            texts[text] = key_of(text)
            yield texts[text]


def _size(connection: sqlite3.Connection, database: str) -> int:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return os.path.getsize(database)
