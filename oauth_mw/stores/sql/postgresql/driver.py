"""Connections to PostgreSQL: how they are opened and set up, and how each wait is bounded.

Behind a pooler, each statement is a transaction of its own, in one round trip. psycopg's own pipeline sends each
statement separately, which takes three times as long, and ends with a Flush, for which PgBouncer keeps the session
assigned to the client. So :func:`_in_transaction` uses private names of psycopg: setup.cfg bounds its version.
"""

from __future__ import annotations

import math
import os
import re
import select
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from sqlalchemy.exc import DBAPIError, InvalidRequestError, TimeoutError

from ....deadlines import deadline_in
from ....errors import ConfigError, NotSent, StoreUnavailable
from .search_path import FIRST, SAFE_PATH, Unusable, find_schema, named_in, placed

try:
    import psycopg
    from psycopg import generators, waiting
    from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus

    _version = [int(part) for part in re.findall("[0-9]+", psycopg.__version__)]
except ImportError:
    _version = []
if _version < [3, 3, 6]:  # the first one that waits for a limited time
    raise ConfigError("store", "postgresql+psycopg:// needs psycopg 3.3.6 or later: pip install 'oauth_mw[postgres]'")

# What uses of a connection raise. InvalidRequestError: it is lost. TimeoutError: an interrupted thread kept it.
ERRORS = (psycopg.Error, DBAPIError, InvalidRequestError, TimeoutError, UnicodeEncodeError)

_NO_OPTIONS = (
    "the server is a connection pooler (such as PgBouncer), which does not pass options on: remove options from the "
    "URL, and set them for the role instead, as in ALTER ROLE … SET search_path TO …"
)
_REFUSED_OPTIONS = "unsupported startup parameter: options"  # PgBouncer's words
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

_open: weakref.WeakSet[Driver] = weakref.WeakSet()
_for_each_host: ContextVar[float] = ContextVar("_for_each_host", default=math.inf)  # seconds


class Placed(psycopg.Cursor[Any]):
    """A cursor that writes the store's schema into each statement."""

    connection: Driver

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        driver = self.connection
        text = placed(query, driver.schema, params is None)
        if not driver.pooled or not driver.is_idle() or text.startswith(b"BEGIN"):
            return super().execute(text, params, prepare=prepare, binary=binary)
        # Between two transactions a pooler may give the session to another client, or switch to another server.
        with driver.lock:
            before = BEGIN.encode(), driver.settings.encode()
            standing = driver.wait(_in_transaction(self, before, text, params, binary))
        if standing.get_value(0, 0) != b"f":
            raise StoreUnavailable(
                "PostgreSQL: the connection pooler leads to a standby, where revocations arrive late: use the primary"
            )
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        super().executemany(placed(query, self.connection.schema, False), params_seq, **options)


def _in_transaction(
    cursor: Placed, before: Iterable[bytes], query: bytes, parameters: Any, binary: bool | None = None
) -> Any:
    """A generator for ``Connection.wait``; it returns the last result of ``before``, and stores the result of the
    query in ``cursor``.

    :param before: statements without parameters; the first begins the transaction.
    :raises psycopg.Error: a statement failed; the transaction may still be open.
    """
    yield from cursor._start_query(query)
    statement = cursor._convert_query(query, parameters)
    pgconn: Any = cursor.connection.pgconn
    pgconn.enter_pipeline_mode()
    for each in before:
        pgconn.send_query_params(each, None)
    pgconn.send_query_params(
        statement.query,
        statement.params,
        param_formats=statement.formats,
        param_types=statement.types,
        result_format=bool(binary),
    )
    pgconn.send_query_params(b"COMMIT", None)
    pgconn.pipeline_sync()
    yield from generators.send(pgconn)
    results = []
    while (result := (yield from generators.fetch(pgconn))).status != ExecStatus.PIPELINE_SYNC:
        results.append(result)
        yield from generators.fetch(pgconn)  # None: this statement has no further result
    pgconn.exit_pipeline_mode()
    for result in results:
        cursor._check_results([result])
    *_, last, own, _ = results
    cursor._set_results([own])
    return last


class Driver(psycopg.Connection[Any]):
    """A connection whose every wait ends by ``deadline``, a time of the monotonic clock."""

    pid = 0
    deadline = math.inf
    schema = ""  # of the store
    pooled = False  # behind a connection pooler
    settings = ""  # behind a pooler: sets one transaction up, and reads whether it runs on a standby
    warned = False  # by a notice

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Any:
        """One attempt to connect to one host. psycopg's own limit cannot be less than two seconds."""
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
        # psycopg's own version waits again after Ctrl-C. Here, a connection that was interrupted is closed.
        return waiting.wait(gen, self.pgconn.socket, interval, max(self.deadline - time.monotonic(), 0.001))

    def is_stale(self) -> bool:
        """Whether the server closed it, as far as can be seen without a statement, or an operation was interrupted.

        No statement is under way, so data to read means that it was closed; a notice is treated in the same way.
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
        """Whether a statement was sent whose reply has not arrived."""
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE

    def note(self, notice: psycopg.errors.Diagnostic) -> None:
        self.warned = self.warned or notice.severity_nonlocalized == "WARNING"

    def roll_back(self) -> None:
        """Roll back if possible. A connection that is not idle afterwards is closed."""
        if self.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with suppress(psycopg.Error):
                self.execute("ROLLBACK")

    def rollback(self) -> None:
        """Do nothing: SQLAlchemy calls this after an error, and an error here would replace that one."""

    def __del__(self, warn: Any = None) -> None:
        """Do not warn, as psycopg does: connections in a pool are open until the process ends."""


def is_readable(socket: int, seconds: float) -> bool:
    """Wait until there is something to read; false if there is nothing after ``seconds``."""
    if not hasattr(select, "poll"):  # Windows, where select() takes any socket's number
        return bool(select.select([socket], [], [], seconds)[0])
    watch = select.poll()
    watch.register(socket, select.POLLIN)
    return bool(watch.poll(math.ceil(seconds * 1000)))


def unavailable(error: BaseException) -> StoreUnavailable:
    """With the first line of PostgreSQL's message: the others, and SQLAlchemy's, show statement and parameters."""
    inner = _original(error)
    said = str(inner).strip()
    # A message about a value contains it.
    if not said or isinstance(inner, psycopg.DataError | InvalidRequestError | TimeoutError | UnicodeError):
        said = type(inner).__name__
    cure = ": use a role with this right" if isinstance(inner, psycopg.errors.InsufficientPrivilege) else ""
    kind = NotSent if isinstance(inner, psycopg.errors.LockNotAvailable) else StoreUnavailable
    return kind(f"PostgreSQL: {said.splitlines()[0]}{cure}")


def unsuitable(error: BaseException) -> str:
    """Why the store cannot be used until a right or a name is changed; empty for any other error."""
    inner = _original(error)
    return str(inner).splitlines()[0] if isinstance(inner, psycopg.ProgrammingError) else ""


def _original(error: BaseException) -> BaseException:
    """The driver's error, without SQLAlchemy's around it."""
    return getattr(error, "orig", None) or error


def abandon_inherited() -> None:
    """In a forked child, replace the sockets of the parent's connections, so that nothing can be sent over them."""
    inherited = [driver for driver in list(_open) if driver.pid != os.getpid() and not driver.closed]
    if inherited:
        nothing = os.open(os.devnull, os.O_RDWR)
        for driver in inherited:
            with suppress(psycopg.Error, OSError):
                os.dup2(nothing, driver.fileno(), inheritable=False)
            _open.discard(driver)
        os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=abandon_inherited)


def dialling(arguments: dict[str, Any], timeout: float, for_each_host: float) -> Callable[[], Driver]:
    """Return a function that opens a connection and sets it up.

    :param timeout: seconds for a statement, and for opening a connection unless the request has less left.
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
    """Set the session up, unless a pooler answers; find the store's schema."""
    settings = {
        "search_path": SAFE_PATH,
        "statement_timeout": milliseconds,
        # A process that is stopped within a transaction must not keep all others waiting.
        "idle_in_transaction_session_timeout": milliseconds,
        # A power failure may lose issued tokens. Transactions whose changes must survive set this again.
        "synchronous_commit": "off",
        # Only a warning says that a standby has not confirmed a commit.
        "client_min_messages": "warning",
    }
    first = driver.execute(FIRST)
    first.nextset(), first.nextset()
    process, path, setting, role = first.fetchone() or (0, [], "", "")
    # A pooler reports a process number of its own. It gives its sessions to many clients in turn, so settings must not
    # outlive a transaction.
    driver.pooled = process != driver.info.backend_pid
    if driver.pooled:
        if driver.info.options:
            raise Unusable(_NO_OPTIONS)
        driver.prepare_threshold = None
        driver.settings = f"SELECT pg_catalog.pg_is_in_recovery(), {_set(settings, local=True)}"
    else:
        driver.execute(f"SELECT {_set({**settings, 'default_transaction_isolation': 'read committed'}, local=False)}")
    driver.schema = find_schema(driver, path, named_in(setting, path, role))


def _set(settings: dict[str, str], *, local: bool) -> str:
    """The calls that change these settings.

    :param local: only for the transaction.
    """
    return ", ".join(f"pg_catalog.set_config('{name}', '{value}', {local})" for name, value in settings.items())
