"""A PostgreSQL store that a fault can strike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from network import Network

from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw

# Superusers have places of their own; the store is not one's.
SETTINGS = {"max_connections": 24, "superuser_reserved_connections": 3, "autovacuum": "off"}


@contextmanager
def new_postgres() -> Iterator[Any]:
    from helpers.engines_postgres import Postgres

    with Postgres(**SETTINGS) as server:
        with Raw(server.url) as raw:
            raw("CREATE ROLE ordinary LOGIN")
        yield server


class PostgresSite:
    """A schema of its own.

    :param far: the store is reached over a network, which a fault can strike.
    """

    def __init__(self, server: Any, *, far: bool = False) -> None:
        self.server = server
        self.network = Network(server.port) if far else None
        self.schema = f"test_{os.urandom(5).hex()}"
        port = self.network.port if self.network else server.port
        self.url = f"postgresql+psycopg://ordinary@127.0.0.1:{port}/postgres?options=-csearch_path={self.schema}"

    def __enter__(self) -> PostgresSite:
        with self.raw() as raw:
            raw(f"CREATE SCHEMA {self.schema} AUTHORIZATION ordinary")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.network:
            self.network.close()

    def serves(self, service: Any) -> None:
        self.store = service.store

    def raw(self) -> Raw:
        return Raw(self.server.url)

    def end_sessions(self, raw: Raw) -> None:
        """Those of all stores, so that they have to connect anew."""
        before = raw.backends()
        raw("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", list(before))
        wait_until(lambda: not before & raw.backends(), "the end of the sessions")
