"""SQLite: connections, the writers' queue, and the counter that tells other processes of a revocation.

Beside the database lies a small file with one number in it, mapped into every process. Whoever
appends to the revocation log raises it after the commit and before answering, so that reading one
word of memory tells a worker whether it knows everything. An ``flock`` on the same file makes
writers queue, which SQLite itself does unfairly. Where there is no ``fcntl``, SQLite's own
``data_version`` and waiting take the places of both.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from ..errors import ConfigError, StoreMissing, StoreUnavailable
from .files import make_database
from .held import Held, inherited


class SQLiteEngine:
    """Held connections to one file.

    :param path: what stood after ``sqlite://``.
    :param timeout: seconds that one operation may take to begin.
    """

    def __init__(self, path: str, timeout: float) -> None:
        if not path.startswith("/") or path == "/" or path.startswith("/:memory:") or "?" in path:
            raise ConfigError("store", "expected sqlite:///file (for a store in memory: memory://)")
        self.path = os.path.abspath(path[1:])
        self.url = "sqlite:///" + self.path
        self.timeout = timeout
        self.generation: Callable[[], object] = object
        self.check: Callable[[Connection], None] = lambda connection: None
        self._create: Callable[[Connection], None] | None = None
        self._process: Held | None = None
        self._opening = threading.Lock()
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                f"file:{quote(os.fsencode(self.path))}?mode=rw",
                uri=True,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("PRAGMA synchronous=NORMAL")
            return connection

        return create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def compiled(self, statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and a mapping of parameters."""
        return str(statement.compile(dialect=dialect(paramstyle="named")))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """First contact, and nothing held afterwards, so that nothing crosses a fork.

        :param create: makes the tables where they are missing; kept until a contact succeeds.
        :raises ConfigError: no store there, or none that this code can use.
        :raises StoreUnavailable: it does not answer for now.
        """
        if create:
            make_database(self.path)
        elif not os.path.isfile(self.path):
            raise StoreMissing(f"there is no store at {self.url}")
        self._create = create
        self._contact()
        self.close()

    def _here(self) -> Held:
        """This process's connections, made anew after a fork or when the files were exchanged.

        :raises StoreUnavailable: there is no usable store now.
        """
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        if process is not None:
            inherited.append(process)
            self._process, self._opening = None, threading.Lock()
        try:
            return self._contact()
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self) -> Held:
        if not self._opening.acquire(timeout=self.timeout):
            raise StoreUnavailable("the store is being opened")
        try:
            if self._process is None:
                process = self._prepared()
                self.generation = process.counter.read if process.counter else self._data_version
                self._process = process
            return self._process
        except OSError as error:
            raise StoreUnavailable(f"the store's files cannot be opened: {error.strerror}") from None
        except (sqlite3.Error, DBAPIError) as error:
            cause = _cause(error)
            if getattr(cause, "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise ConfigError("store", f"{self.path} is not an SQLite database") from None
            raise StoreUnavailable(f"SQLite: {cause}") from None
        finally:
            self._opening.release()

    def _prepared(self) -> Held:
        """Make the tables, if this is the start that may, and judge what is there before touching anything."""
        with self._engine.connect() as connection:
            if not self._create:
                self.check(connection)
            process = Held(self.path)
            if self._create:
                with self._turn(process, time.monotonic() + self.timeout):
                    driver = driver_of(connection)
                    driver.execute("PRAGMA journal_mode=WAL")
                    driver.execute("BEGIN IMMEDIATE")
                    self._create(connection)
                    driver.execute("COMMIT")
                self.check(connection)
        self._create = None
        return process

    def look(self) -> None:
        """Notice, once a second, that the files were exchanged; open the new ones.

        :raises StoreUnavailable: they are not there.
        """
        self._checked(self._here())
        self._here()

    def _checked(self, process: Held) -> bool:
        """False, and everything dropped, when the files are no longer those that are open."""
        if process.files_are_there(self.path):
            return True
        if self._process is process:
            self._process = None
            process.close()
        return False

    def close(self) -> None:
        process, self._process = self._process, None
        if process and process.pid == os.getpid():
            process.close()

    def _data_version(self) -> object:
        # The watching connection never writes, so it sees every commit, those of this process too.
        try:
            process = self._here()
            with process.watching:
                if process.watch is None:
                    process.watch = self._engine.connect()
                version = driver_of(process.watch).execute("PRAGMA data_version").fetchone()[0]
            return id(process), version
        except (StoreUnavailable, sqlite3.Error, DBAPIError):
            return object()  # equal to nothing: whoever compares will look, and meet the error there

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A held connection, for autocommit statements that only read.

        :raises StoreUnavailable: SQLite does not answer.
        """
        process = self._here()
        with self._held(process) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A held connection and the writers' turn, for one autocommit statement (``synchronous=NORMAL``).

        :raises StoreUnavailable: no turn in time, the files were exchanged, or SQLite does not answer.
        """
        process = self._here()
        deadline = time.monotonic() + self.timeout
        with self._turn(process, deadline), self._held(process) as connection, self._bounded(connection, deadline):
            yield connection

    @contextmanager
    def transaction(self, *, ends_tokens: bool = False) -> Iterator[Connection]:
        """One write transaction that survives power loss. ``ends_tokens`` tells all workers, after the commit.

        :raises StoreUnavailable: as in :meth:`writing`; then nothing was committed.
        """
        process = self._here()
        deadline = time.monotonic() + self.timeout
        with self._turn(process, deadline), self._held(process) as connection, self._bounded(connection, deadline):
            driver = driver_of(connection)
            driver.execute("PRAGMA synchronous=FULL")
            try:
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.execute("COMMIT")
                if ends_tokens and process.counter:
                    process.counter.bump()
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise
            finally:
                driver.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def _held(self, process: Held) -> Iterator[Connection]:
        connection = None
        try:
            try:
                connection = process.free.pop()
            except IndexError:
                connection = self._engine.connect()
            yield connection
        except (sqlite3.Error, DBAPIError) as error:
            if connection is not None:
                connection.invalidate()
                connection.close()
                connection = None
            raise StoreUnavailable(f"SQLite: {_cause(error)}") from None
        finally:
            if connection is not None:
                if process is self._process:
                    process.free.append(connection)
                else:
                    connection.close()

    @contextmanager
    def _turn(self, process: Held, deadline: float) -> Iterator[None]:
        """One writer at a time: within the process by a lock, between processes by the queue."""
        if not process.lock.acquire(timeout=self.timeout):
            raise StoreUnavailable("no writer's turn in time")
        try:
            if process.counter:
                process.counter.lock(deadline)
            try:
                if not self._checked(process):
                    raise StoreUnavailable("the store's files were exchanged")
                yield
            finally:
                if process.counter:
                    process.counter.unlock()
        finally:
            process.lock.release()

    @contextmanager
    def _bounded(self, connection: Connection, deadline: float) -> Iterator[None]:
        """SQLite may wait only for what the queue left of the time."""
        left = deadline - time.monotonic()
        if left > self.timeout * 0.9:
            yield
            return
        driver = driver_of(connection)
        driver.execute(f"PRAGMA busy_timeout={max(int(left * 1000), 1)}")
        try:
            yield
        finally:
            driver.execute(f"PRAGMA busy_timeout={int(self.timeout * 1000)}")


def driver_of(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _cause(error: Exception) -> BaseException | None:
    """SQLite's own words: SQLAlchemy's would hold the statement and its parameters."""
    return error.orig if isinstance(error, DBAPIError) else error
