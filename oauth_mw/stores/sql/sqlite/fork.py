"""Connections to SQLite, which belong to the process that opened them.

SQLite records its locks by process, so a forked child that inherits an open database takes its parent's locks for its
own. When the parent closes the database, another process finds it unused and deletes the ``-wal`` file into which the
child still writes. So idle connections are closed before a fork. A child neither uses nor closes the others, since
closing one could delete the file that other processes use. Nor does it open any beside them: SQLite would give it the
locks that they seem to hold, and what it writes would damage the database.
"""

from __future__ import annotations

import os
from threading import get_ident
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from ....errors import StoreUnavailable

# The process that opened each connection. This also keeps inherited ones from being closed by garbage collection.
_owners: dict[Connection, int] = {}
_opening: set[int] = set()  # the threads that are opening one
_unsafe = False  # a connection was in use when this process was forked


class Link(NamedTuple):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements.

    ``cursor`` is for those that have one row or none: to make a cursor for each takes a quarter of a microsecond.
    """

    core: Connection
    driver: Any
    cursor: Any

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
    """
    :raises StoreUnavailable: this process can never use SQLite.
    """
    if _unsafe:
        raise StoreUnavailable(
            "this process was forked while another thread used SQLite, so it cannot: fork before threads serve requests"
        )
    thread = get_ident()
    _opening.add(thread)
    try:
        core = engine.connect()
        _owners[core] = os.getpid()
    finally:
        _opening.discard(thread)
    driver: Any = core.connection.driver_connection
    return Link(core, driver, driver.cursor())


def _after_fork() -> None:
    global _unsafe
    _unsafe = bool(_owners or _opening)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
