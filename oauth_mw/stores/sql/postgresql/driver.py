"""Connections to PostgreSQL: what they are made with, and when they have waited long enough."""

from __future__ import annotations

import math
import os
import re
import select
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError, TimeoutError
from sqlalchemy.pool import QueuePool

from ....deadlines import deadline_in
from ....errors import ConfigError, StoreUnavailable
from ..engine import make_engine
from ..schema import PLACE
from .search_path import FIRST, SAFE_PATH, Unusable, find_schema, placed

try:
    import psycopg
    from psycopg import waiting
    from psycopg.pq import PipelineStatus, TransactionStatus

    from .pipeline import in_transaction

    _version = [int(part) for part in re.findall("[0-9]+", psycopg.__version__)]
except ImportError:
    _version = []
if _version < [3, 3, 6]:  # the first one that waits for a limited time
    raise ConfigError("store", "postgresql+psycopg:// needs psycopg 3.3.6 or later: pip install 'oauth_mw[postgres]'")

# What one of them raises. SQLAlchemy's second is about a connection, or a row, that is gone, and its third about one
# that an interrupted thread took along.
ERRORS = (psycopg.Error, DBAPIError, InvalidRequestError, TimeoutError, UnicodeEncodeError)

_NO_OPTIONS = (
    "a connection pooler (PgBouncer or the like) answers, which hands on no options: take them out of the URL, and set "
    "what they set for the role, as in ALTER ROLE … SET search_path TO …"
)
_REFUSED_OPTIONS = "unsupported startup parameter: options"  # PgBouncer's words
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

_open: weakref.WeakSet[Driver] = weakref.WeakSet()
_for_each_host: ContextVar[float] = ContextVar("_for_each_host", default=math.inf)  # seconds


class Placed(psycopg.Cursor[Any]):
    """Statements with the store's schema in its place."""

    connection: Driver

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        driver = self.connection
        text = placed(query, driver.schema, params is None)
        if not driver.pooled or not driver.is_idle() or text.startswith(b"BEGIN"):
            return super().execute(text, params, prepare=prepare, binary=binary)
        # Between two transactions a pooler may give the session to others, or lead to another server.
        with driver.lock:
            standing = driver.wait(in_transaction(self, (BEGIN.encode(), driver.settings.encode()), text, params))
        if standing.get_value(0, 0) != b"f":
            raise StoreUnavailable("PostgreSQL: the connection pooler leads to a standby, which knows revocations late")
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        super().executemany(placed(query, self.connection.schema, False), params_seq, **options)


class Driver(psycopg.Connection[Any]):
    """A connection whose every wait ends at ``deadline``, of the monotonic clock."""

    pid = 0
    deadline = math.inf
    schema = ""  # of the store
    pooled = False  # a pooler is in between
    settings = ""  # behind a pooler, what sets the session up for one transaction, and says whether it is on a standby
    warned = False

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Any:
        """One attempt to connect, to one host. psycopg's own limit is two seconds at least."""
        until = deadline_in(_for_each_host.get())
        attempt = super()._connect_gen(*arguments, **options)
        try:
            waiting_for = next(attempt)
            while True:
                ready = yield waiting_for
                if time.monotonic() >= until:
                    raise psycopg.errors.ConnectionTimeout("no connection in time")
                waiting_for = attempt.send(ready)
        except StopIteration as done:
            return done.value

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        # Without psycopg's own way with Ctrl-C, which waits anew; a connection that was interrupted is closed.
        return waiting.wait(gen, self.pgconn.socket, interval, max(self.deadline - time.monotonic(), 0.001))

    def is_stale(self) -> bool:
        """Whether the server has closed it, as far as can be known without asking, or it is in the middle of something.

        No statement is under way, so what can be read is the end, or a notice that is not worth telling from it.
        """
        try:
            return not self.is_idle() or is_readable(self.fileno(), 0)
        except psycopg.Error:
            return True

    def begin(self, *statements: str) -> None:
        """Begin a transaction with these statements."""
        self.execute("; ".join(filter(None, (BEGIN, self.settings, *statements))))

    def is_idle(self) -> bool:
        """False within a transaction or pipeline, and when it is closed or broken."""
        idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        return idle and self.pgconn.pipeline_status == PipelineStatus.OFF

    def is_unanswered(self) -> bool:
        """Whether a statement was sent whose answer has not come."""
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE

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


def is_readable(socket: int, seconds: float) -> bool:
    """Wait until there is something to read; false when the time is over."""
    if not hasattr(select, "poll"):  # Windows, which has no limit for the other way
        return bool(select.select([socket], [], [], seconds)[0])
    watch = select.poll()
    watch.register(socket, select.POLLIN)
    return bool(watch.poll(math.ceil(seconds * 1000)))


def original(error: BaseException) -> BaseException:
    """The driver's error, without SQLAlchemy's around it."""
    inner = error.orig if isinstance(error, DBAPIError) else None
    return inner or error


def unavailable(error: BaseException) -> StoreUnavailable:
    """PostgreSQL's first line: the others, and SQLAlchemy's, would hold the statement and its parameters."""
    inner = original(error)
    said = str(inner).strip()
    # What is wrong with a value would be told with the value.
    if not said or isinstance(inner, psycopg.DataError | InvalidRequestError | TimeoutError | UnicodeError):
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


def dialling(arguments: dict[str, Any], timeout: float, for_each_host: float) -> Callable[[], Driver]:
    """What opens a connection as the store needs it.

    :param timeout: seconds for a statement, and for opening a connection where its request has no less left.
    :param for_each_host: seconds after which the next host is tried.
    """

    def dial() -> Driver:
        until = deadline_in(timeout)
        _for_each_host.set(for_each_host)
        try:
            driver = Driver.connect(**arguments, autocommit=True)
        except psycopg.OperationalError as error:
            if _REFUSED_OPTIONS in str(error):
                raise Unusable(_NO_OPTIONS) from None
            raise
        try:
            driver.cursor_factory = Placed
            driver.pid = os.getpid()
            _open.add(driver)
            driver.deadline = until
            driver.add_notice_handler(driver.note)
            _set_up(driver, str(max(int(timeout * 1000), 1)))
        except BaseException:
            driver.close()
            raise
        return driver

    return dial


def _set_up(driver: Driver, milliseconds: str) -> None:
    """Find out what answers, and where the store is."""
    settings = {
        "search_path": SAFE_PATH,
        "statement_timeout": milliseconds,
        # A process that is stopped within a transaction must not keep all others from theirs.
        "idle_in_transaction_session_timeout": milliseconds,
        # An issued token may be lost with the power; what may not is written in a transaction.
        "synchronous_commit": "off",
        # A commit that a standby has not confirmed is known by a warning alone.
        "client_min_messages": "warning",
    }
    first = driver.execute(FIRST)
    first.nextset(), first.nextset()
    process, path = first.fetchone() or (0, [])
    # A pooler has told a process number of its own, to know its client by when that cancels. In its sessions, which it
    # gives to many clients in turn, settings that stay would count for others.
    driver.pooled = process != driver.info.backend_pid
    if driver.pooled:
        if driver.info.options:
            raise Unusable(_NO_OPTIONS)
        driver.prepare_threshold = None
        driver.settings = f"SELECT pg_catalog.pg_is_in_recovery(), {_set(settings, local=True)}"
    else:
        driver.execute(f"SELECT {_set({**settings, 'default_transaction_isolation': 'read committed'}, local=False)}")
    driver.schema = find_schema(driver, path)


def _set(settings: dict[str, str], *, local: bool) -> str:
    """
    :param local: for the transaction alone.
    """
    return ", ".join(f"pg_catalog.set_config('{name}', '{value}', {local})" for name, value in settings.items())


def pooling(dial: Callable[[], Driver], limit: int) -> Engine:
    """SQLAlchemy's engine and pool, which never waits for a connection: :class:`~.pool.Pool` does."""
    engine = make_engine(
        "postgresql+psycopg://",
        dial,
        use_native_hstore=False,
        poolclass=QueuePool,
        pool_size=limit,
        max_overflow=0,
        pool_timeout=0,
        pool_use_lifo=True,
        pool_reset_on_return=None,
    )
    # The driver puts the schema in its place, which is known once there is a connection.
    engine.update_execution_options(schema_translate_map={None: PLACE.strip('"')})
    return engine
