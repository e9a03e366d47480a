"""Connections to PostgreSQL: what they are made with, and when they have waited long enough."""

from __future__ import annotations

import math
import os
import re
import select
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from ....errors import ConfigError, StoreUnavailable
from ..engine import make_engine
from .search_path import FIRST, SAFE_PATH, Unusable, find_schema, placed

try:
    import psycopg
    from psycopg import waiting
    from psycopg.pq import TransactionStatus

    _version = [int(part) for part in re.findall("[0-9]+", psycopg.__version__)]
except ImportError:
    _version = []
if _version < [3, 3, 6]:  # the first one that waits for a limited time
    raise ConfigError("store", "postgresql+psycopg:// needs psycopg 3.3.6 or later: pip install 'oauth_mw[postgres]'")

# What one of them raises: SQLAlchemy's second is about a connection, or a row, that is gone.
ERRORS = (psycopg.Error, DBAPIError, InvalidRequestError, UnicodeEncodeError)

_POOLER = "a connection pooler (PgBouncer or the like) answers: name PostgreSQL itself, the store has a pool of its own"

_open: weakref.WeakSet[Driver] = weakref.WeakSet()


class Placed(psycopg.Cursor[Any]):
    """Statements with the store's schema in its place."""

    connection: Driver

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        text = placed(query, self.connection.schema, params is None)
        return super().execute(text, params, prepare=prepare, binary=binary)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        super().executemany(placed(query, self.connection.schema, False), params_seq, **options)


class Driver(psycopg.Connection[Any]):
    """A connection whose every wait ends at ``deadline``, of the monotonic clock."""

    pid = 0
    deadline = math.inf
    schema = ""  # of the store
    durable = "on"  # what a transaction sets synchronous_commit to
    warned = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        # Without psycopg's own way with Ctrl-C, which waits anew; a connection that was interrupted is closed.
        return waiting.wait(gen, self.pgconn.socket, interval, max(self.deadline - time.monotonic(), 0.001))

    def note(self, notice: psycopg.errors.Diagnostic) -> None:
        self.warned = self.warned or notice.severity_nonlocalized == "WARNING"

    def roll_back(self) -> None:
        """If it can be: whatever is not idle afterwards is closed."""
        if self.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with suppress(psycopg.Error):
                self.execute("ROLLBACK")

    def __del__(self, warn: Any = None) -> None:
        # psycopg would warn of one that is still open. Those in a pool are, until the process ends.
        pass


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Link:
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Driver

    def is_stale(self) -> bool:
        if self.driver.closed:
            return True
        # Nobody asked anything, so what can be read is the end, or a notice that is not worth telling from it.
        try:
            return _is_readable(self.driver.fileno())
        except psycopg.Error:
            return True

    def is_idle(self) -> bool:
        return self.driver.pgconn.transaction_status == TransactionStatus.IDLE

    def is_unanswered(self) -> bool:
        return self.driver.pgconn.transaction_status == TransactionStatus.ACTIVE

    def close(self) -> None:
        with suppress(Exception):
            self.core.invalidate()
            self.core.close()


def _is_readable(socket: int) -> bool:
    if not hasattr(select, "poll"):  # Windows, which has no limit for the other way
        return bool(select.select([socket], [], [], 0)[0])
    watch = select.poll()
    watch.register(socket, select.POLLIN)
    return bool(watch.poll(0))


def original(error: BaseException) -> BaseException:
    """The driver's error, without SQLAlchemy's around it."""
    inner = error.orig if isinstance(error, DBAPIError) else None
    return inner or error


def unavailable(error: BaseException) -> StoreUnavailable:
    """PostgreSQL's first line: the others, and SQLAlchemy's, would hold the statement and its parameters."""
    inner = original(error)
    said = str(inner).strip()
    # What is wrong with a value would be told with the value.
    if not said or isinstance(inner, psycopg.DataError | InvalidRequestError | UnicodeError):
        said = type(inner).__name__
    return StoreUnavailable("PostgreSQL: " + said.splitlines()[0])


def unsuitable(error: BaseException) -> str:
    """Why the store cannot be used until somebody changes a right or a name; empty when it is nothing of the kind."""
    inner = original(error)
    return str(inner).splitlines()[0] if isinstance(inner, psycopg.ProgrammingError) else ""


def let_go() -> None:
    """In a child: whatever happens to the parent's connections here, their sockets are out of reach."""
    inherited = [driver for driver in list(_open) if driver.pid != os.getpid() and not driver.closed]
    if inherited:
        nothing = os.open(os.devnull, os.O_RDWR)
        for driver in inherited:
            with suppress(psycopg.Error, OSError):
                os.dup2(nothing, driver.fileno(), inheritable=False)
            _open.discard(driver)
        os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=let_go)


def connecting(arguments: dict[str, Any], timeout: float) -> Engine:
    """Connections as the store needs them; nobody but :class:`Link` keeps them."""
    milliseconds = max(int(timeout * 1000), 1)
    settings = (
        f"{SAFE_PATH}; "
        f"SET statement_timeout TO {milliseconds}; "
        # A process that is stopped within a transaction must not keep all others from theirs.
        f"SET idle_in_transaction_session_timeout TO {milliseconds}; "
        # An issued token may be lost with the power; what may not is written in a transaction.
        "SET synchronous_commit TO off; "
        # A commit that a standby has not confirmed is known by a warning alone.
        "SET client_min_messages TO warning; "
        "SET default_transaction_isolation TO 'read committed'"
    )

    def connect() -> Driver:
        driver = Driver.connect(**arguments, autocommit=True)
        try:
            driver.cursor_factory = Placed
            driver.pid = os.getpid()
            _open.add(driver)
            driver.deadline = time.monotonic() + timeout
            driver.add_notice_handler(driver.note)
            process, configured, path = driver.execute(FIRST).fetchone() or (0, "off", [])
            # A pooler has told a process number of its own, to know its client by when he cancels. In its sessions,
            # which it gives to many clients in turn, our settings would count for others.
            if process != driver.info.backend_pid:
                raise Unusable(_POOLER)
            driver.durable = configured if configured != "off" else "on"
            driver.execute(settings)
            driver.schema = find_schema(driver, path)
        except BaseException:
            driver.close()
            raise
        return driver

    return make_engine("postgresql+psycopg://", connect, pool_reset_on_return=None, use_native_hstore=False)
