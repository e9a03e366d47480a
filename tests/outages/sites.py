"""Engines that a fault can strike, each with a store on it at ``url``."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis as driver
from redis.backoff import NoBackoff
from redis.retry import Retry

from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw
from helpers.relay import Relay

# Superusers have reserved connections; the store's role is none.
POSTGRES_SETTINGS = {"max_connections": 24, "superuser_reserved_connections": 3, "autovacuum": "off"}


@contextmanager
def new_postgres() -> Iterator[Any]:
    from helpers.engines_postgres import Postgres

    with Postgres(**POSTGRES_SETTINGS) as server:
        with Raw(server.url) as raw:
            raw("CREATE ROLE ordinary LOGIN")
        yield server


def new_redis() -> Any:
    """A Redis that keeps all that was acknowledged."""
    from helpers.engines_redis import Redis

    return Redis(appendonly="yes", appendfsync="always")


class Site:
    """A place on a server, called ``name``; a context manager.

    :param far: the store is reached over a network, which a fault can strike.
    """

    def __init__(self, server: Any, *, far: bool = False) -> None:
        self.server = server
        self.network = Relay(server.port) if far else None
        self.name = f"test_{os.urandom(5).hex()}"
        self.port = self.network.port if self.network else server.port

    def __enter__(self) -> Self:
        if self.network:
            self.network.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.network:
            self.network.__exit__(kind, error, trace)


class PostgresSite(Site):
    def __enter__(self) -> Self:
        with self.raw() as raw:
            raw(f"CREATE SCHEMA {self.name} AUTHORIZATION ordinary")
        return super().__enter__()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://ordinary@127.0.0.1:{self.port}/postgres?options=-csearch_path={self.name}"

    def raw(self) -> Raw:
        return Raw(self.server.url)

    def end_sessions(self, raw: Raw) -> None:
        """End those of all stores, so that they have to connect again."""
        before = raw.backends()
        raw("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", list(before))
        wait_until(lambda: not before & raw.backends(), "the end of the sessions")


class RedisSite(Site):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}?prefix={self.name}"

    def admin(self) -> driver.Redis:
        return driver.Redis(unix_socket_path=str(self.server.socket), retry=Retry(NoBackoff(), 0))


class SQLiteSite:
    """A folder with a store, and another folder for files that are moved away. ``store`` is the worker's."""

    store: Any

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "data"
        self.folder.mkdir()
        self.aside = folder / "aside"
        self.path = self.folder / "oauth.db"
        self.url = f"sqlite:///{self.path}"
        monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.CHECK_SECONDS", 0)

    def sql(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.path, isolation_level=None))

    def elsewhere(self, code: str, *arguments: object) -> None:
        """Run code in another process: opening and closing the file in this one would drop SQLite's locks."""
        subprocess.run(_python(code, self.path, *arguments), check=True)

    @contextmanager
    def neighbour(self, code: str, *arguments: object) -> Iterator[None]:
        """Another process that has run ``code``, which prints a line at its end."""
        with subprocess.Popen(_python(code, self.path, *arguments), stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout and process.stdout.readline(), "the process ended early"
                yield
            finally:
                process.kill()


def _python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
