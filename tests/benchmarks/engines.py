"""Engines to measure stores on: a fresh place for each store, filled faster than by issuing, and removed at the end."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from typing import Protocol

from oauth_mw.model import TokenRecord
from oauth_mw.stores.sql import schema

SQLITE = f"SQLite {sqlite3.sqlite_version}"
COLUMNS = ("key", "client", "scope", "issued_at", "position", "revoked")


class Engine(Protocol):
    """``sweeps`` is false where the engine itself removes what has expired."""

    sweeps: bool

    def version(self) -> str:
        """Its name and version."""

    def place(self, name: str) -> AbstractContextManager[str]:
        """The URL of a store that is not there yet; what is there at the end is removed."""

    def fill(self, url: str, token: TokenRecord, keys: Iterable[bytes]) -> None:
        """Add a token like ``token`` under each key."""

    def size(self, url: str) -> int:
        """Bytes that the store takes on the engine's disk or in its memory, tidied up first."""


@contextmanager
def engine_of(store: str | None) -> Iterator[Engine]:
    """The engine of a store URL, or a new one: of the named kind, or SQLite in a new folder."""
    with ExitStack() as opened:
        scheme, separator, _ = (store or "").partition("://")
        if store is None:
            yield SQLite(opened.enter_context(tempfile.TemporaryDirectory()))
        elif scheme == "sqlite":
            yield SQLite(os.path.dirname(path_of(store)))
        elif scheme in ("postgresql", "postgresql+psycopg"):
            from on_postgres import Postgres

            yield Postgres(store if separator else opened.enter_context(own_postgres()))
        elif scheme in ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster"):
            from on_redis import Redis

            yield Redis(store if separator else opened.enter_context(own_redis(scheme)))
        else:
            raise SystemExit("expected the URL of a store, or one of: postgresql, redis, redis+cluster")


@contextmanager
def own_postgres() -> Iterator[str]:
    """A server from the wheel that the tests use, as safe as servers are by default."""
    _find_servers()
    from helpers.engines_postgres import Postgres

    with Postgres(fsync="on", shared_buffers="128MB") as server:
        yield server.url


@contextmanager
def own_redis(kind: str, primaries: int = 3) -> Iterator[str]:
    """A server, or a cluster, from the wheel that the tests use; none loses what it acknowledged."""
    _find_servers()
    from helpers.engines_redis import Redis
    from helpers.engines_redis_cluster import Cluster

    durable = {"appendonly": "yes", "appendfsync": "always"}
    with Cluster(primaries, **durable) if kind == "redis+cluster" else Redis(**durable) as servers:
        yield servers.url


def _find_servers() -> None:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class SQLite:
    """Files in ``folder``."""

    sweeps = True

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def version(self) -> str:
        return SQLITE

    @contextmanager
    def place(self, name: str) -> Iterator[str]:
        path = os.path.join(self._folder, f"{name}.db")
        if os.path.exists(path):
            raise SystemExit(f"{path} is there already")
        try:
            yield f"sqlite:///{path}"
        finally:
            for suffix in ("", "-wal", "-shm", "-oauth_mw"):
                with suppress(FileNotFoundError):
                    os.remove(path + suffix)

    def fill(self, url: str, token: TokenRecord, keys: Iterable[bytes]) -> None:
        with closing(_connection(url)) as connection:
            (number,) = connection.execute(
                f"SELECT number FROM {schema.clients.name} WHERE client_id = ?", (token.client_id,)
            ).fetchone()
            values = f"?, {number}, '{token.scope}', {token.issued_at}, {token.position}, 0"
            insert = f"INSERT INTO {schema.tokens.name} ({', '.join(COLUMNS)}) VALUES ({values})"
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, ((key,) for key in keys))
            connection.execute("COMMIT")

    def size(self, url: str) -> int:
        with closing(_connection(url)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return os.path.getsize(path_of(url))


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _connection(url: str) -> sqlite3.Connection:
    return sqlite3.connect(path_of(url), timeout=60, isolation_level=None)
