"""PostgreSQL, observed without the store."""

from __future__ import annotations

from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg

from helpers.engines_base import wait_until

_ALL = "FROM pg_stat_activity WHERE application_name = current_setting('tests.observed') AND query"
OURS = f"{_ALL} !~ '^LISTEN'"


class Raw:
    """A connection of the tests' own, in autocommit; a context manager. It observes the sessions of one place.

    :param url: a store URL.
    """

    def __init__(self, url: str) -> None:
        observed = dict(parse_qsl(urlsplit(url).query)).get("application_name", "oauth_mw")
        self._connection = psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, application_name="tests")
        self("SELECT set_config('tests.observed', %s, false)", observed)

    def __call__(self, statement: str, *parameters: object) -> list[Any]:
        """The rows of a statement, if it has any; those of one column as plain values."""
        cursor = self._connection.execute(statement, parameters or None)
        rows = cursor.fetchall() if cursor.description else []
        return [row[0] if len(row) == 1 else row for row in rows]

    def backends(self) -> set[int]:
        """The server's processes that serve a store."""
        return set(self(f"SELECT pid {OURS}"))

    def listeners(self) -> set[int]:
        """The server's processes that only wake workers."""
        return set(self(f"SELECT pid {_ALL} ~ '^LISTEN'"))

    def cut(self) -> int:
        """End all sessions of stores; return how many there were."""
        return len(self(f"SELECT pg_terminate_backend(pid) {_ALL} IS NOT NULL"))

    def waiting(self, *events: str) -> set[int]:
        """The server's processes that serve a store and wait for a lock, or for another of ``events``."""
        return set(self(f"SELECT pid {OURS} AND (wait_event_type = 'Lock' OR wait_event = ANY(%s))", list(events)))

    def syncing(self) -> set[int]:
        """The server's processes that wait for a standby."""
        return set(self("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))

    def set(self, name: str, value: str) -> None:
        """Change a setting of the whole server, for new sessions; ``""`` removes the change."""
        self(f"ALTER SYSTEM SET {name} TO '{value}'" if value else f"ALTER SYSTEM RESET {name}")
        self("SELECT pg_reload_conf()")
        wait_until(lambda: not value or self(f"SHOW {name}") == [value], f"{name} {value}")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def backend_of(store: Any) -> int:
    """The server's process that serves one of the store's connections."""
    with store.engine.reading() as link:
        process: int = link.driver.info.backend_pid
        return process
