"""Stores for measuring on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from engines import COLUMNS
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from oauth_mw.model import TokenRecord
from oauth_mw.stores.sql import schema

TYPES = ("bytea", "int4", "text", "int8", "int8", "bool")


class Postgres:
    """A schema in the database at ``url`` for each store."""

    sweeps = True

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def version(self) -> str:
        with _connected(self._url) as connection:
            return f"PostgreSQL {connection.execute('SHOW server_version').fetchone()[0]}"

    def transactions(self) -> int:
        """How many the database has seen so far."""
        with _connected(self._url) as connection:
            connection.execute("SELECT pg_stat_clear_snapshot()")
            found = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            return int(found.fetchone()[0])

    @contextmanager
    def place(self, name: str) -> Iterator[str]:
        schema_name = f"scale_{name.replace('-', '_')}_{os.urandom(3).hex()}"
        options = f"{self._url.query.get('options', '')} -csearch_path={schema_name}".strip()
        url = self._url.update_query_dict({"options": options}).render_as_string(hide_password=False)
        with _connected(url) as connection:
            connection.execute(f"CREATE SCHEMA {schema_name}")
        try:
            yield url
        finally:
            with _connected(url) as connection:
                connection.execute(f"DROP SCHEMA {schema_name} CASCADE")

    def fill(self, url: str, token: TokenRecord, keys: Iterable[bytes]) -> None:
        with _connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT number FROM {schema.clients.name} WHERE client_id = %s", (token.client_id,))
            rest = (*cursor.fetchone(), token.scope, token.issued_at, token.position, False)
            into = f"COPY {schema.tokens.name} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
            with cursor.copy(into) as copy:
                copy.set_types(TYPES)
                for key in keys:
                    copy.write_row((key, *rest))

    def size(self, url: str) -> int:
        with _connected(url) as connection:
            connection.execute(f"VACUUM (ANALYZE) {schema.tokens.name}")
            found = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (schema.tokens.name,))
            return int(found.fetchone()[0])


@contextmanager
def _connected(url: str | URL) -> Iterator[Any]:
    """psycopg's connection, made as SQLAlchemy reads the URL."""
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection.connection.driver_connection
