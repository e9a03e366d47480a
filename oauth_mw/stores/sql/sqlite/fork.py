"""Connections to SQLite, which belong to the process that opened them.

SQLite records its locks by process, so a forked child that inherits an open database takes its parent's locks for its
own. When the parent closes the database, another process finds it unused and deletes the ``-wal`` file into which the
child still writes. So idle connections are closed before a fork. A child neither uses nor closes the others, since
closing one could delete the file that other processes use.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

# The process that opened each connection. This also keeps inherited ones from being closed by garbage collection.
_owners: dict[Connection, int] = {}


class Link(NamedTuple):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Any

    def wait_at_most(self, seconds: float) -> None:
        """Set how long SQLite waits for its locks."""
        self.driver.execute(f"PRAGMA busy_timeout={max(int(seconds * 1000), 1)}")

    def close(self, *, broken: bool = False) -> None:
        """Close it, if this process opened it.

        :param broken: its state is unknown.
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
