"""Connections to SQLite, which belong to the process that opened them.

SQLite keeps its books on locks by process, so a child that inherits an open database takes its
parent's locks for its own. When the parent then closes the database, another process finds it unused,
and deletes the log into which the child still writes. So idle connections are closed before a fork,
and a child neither uses nor closes the others: it would delete the log under the processes that use it.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

# Each open connection, and the process that opened it. What a child inherited is kept here, or garbage collection would
# close it.
_owners: dict[Connection, int] = {}


class Link(NamedTuple):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Any

    def wait_at_most(self, seconds: float) -> None:
        """Let SQLite wait so long for a lock."""
        self.driver.execute(f"PRAGMA busy_timeout={max(int(seconds * 1000), 1)}")

    def close(self, *, broken: bool = False) -> None:
        """Close it, if this process opened it.

        :param broken: whatever state it is in.
        """
        if _owners.get(self.core) != os.getpid():
            return
        try:
            if broken:
                self.core.invalidate()
            self.core.close()
        finally:
            del _owners[self.core]


def open_link(engine: Engine) -> Link:
    core = engine.connect()
    _owners[core] = os.getpid()
    return Link(core, core.connection.driver_connection)
