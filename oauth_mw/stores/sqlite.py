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
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from ..errors import ConfigError, StoreMissing, StoreUnavailable
from .files import make_database
from .held import Held, Reading, Writing, inherited, linked, unavailable


class SQLiteEngine:
    """Held connections to one file.

    :param path: what stood after ``sqlite://``.
    :param timeout: seconds that one operation may take to begin.
    """

    immediate = True
    locks_rows = False
    microseconds = None  # the machine's

    def __init__(self, path: str, timeout: float) -> None:
        if not path.startswith("/") or path == "/" or path.startswith("/:memory:") or "?" in path or "\0" in path:
            raise ConfigError("store", "expected sqlite:///file (for a store in memory: memory://)")
        self.path = os.path.abspath(path[1:])
        self.url = "sqlite:///" + self.path
        self.timeout = timeout
        self.generation: Callable[[], object] = object
        self.check: Callable[[Connection], None] = lambda connection: None
        self._create: Callable[[Connection], None] | None = None
        self._held: Held | None = None
        self._opening: dict[int, threading.Lock] = {}
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        # Values, not self: what waits for an engine to go must not keep it.
        address, timeout = f"file:{quote(os.fsencode(self.path))}?mode=rw", self.timeout

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                address,
                uri=True,
                timeout=timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                connection.execute("PRAGMA synchronous=NORMAL")
            except sqlite3.Error:
                connection.close()
                raise
            return connection

        return create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def compiled(self, statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        return str(statement.compile(dialect=dialect(paramstyle="qmark")))

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
        """What this process holds, made anew after a fork or when the files were exchanged.

        :raises StoreUnavailable: there is no usable store now.
        """
        held = self._held
        if held is not None and held.pid == os.getpid() and not held.closed:
            return held
        try:
            return self._contact()
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self) -> Held:
        # Each process has a lock of its own: one that came with a fork may have been held.
        opening = self._opening.setdefault(os.getpid(), threading.Lock())
        if not opening.acquire(timeout=self.timeout):
            raise StoreUnavailable("the store is being opened")
        try:
            held = self._held
            if held is not None and held.pid == os.getpid() and not held.closed:
                return held
            if held is not None and held.pid != os.getpid():
                inherited.append(held)
            held = self._prepared()
            self.generation = held.counter.read if held.counter else self._data_version
            self._held = held
            return held
        except OSError as error:
            raise StoreUnavailable(f"the store's files cannot be opened: {error.strerror}") from None
        except (sqlite3.Error, DBAPIError) as error:
            if getattr(getattr(error, "orig", error), "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise ConfigError("store", f"{self.path} is not an SQLite database") from None
            raise unavailable(error) from None
        finally:
            opening.release()

    def _prepared(self) -> Held:
        """Make the tables, if this is the start that may, and judge what is there before touching anything."""
        with self._engine.connect() as connection:
            if not self._create:
                self.check(connection)
            held = Held(self.path, self._engine)
            if self._create:
                held.begin_turn(time.monotonic() + self.timeout)
                try:
                    driver = linked(connection).driver
                    driver.execute("PRAGMA journal_mode=WAL")
                    driver.execute("BEGIN IMMEDIATE")
                    self._create(connection)
                    driver.execute("COMMIT")
                finally:
                    held.end_turn()
                self.check(connection)
        self._create = None
        return held

    def look(self) -> None:
        """Notice, once a second, that the files were exchanged; open the new ones.

        :raises StoreUnavailable: they are not there.
        """
        if not self._here().is_current():
            self._here()

    def watch(self, ended: Callable[[], None]) -> None:
        """The generation says it all."""

    def close(self) -> None:
        held, self._held = self._held, None
        if held and held.pid == os.getpid():
            held.close()

    def _data_version(self) -> object:
        try:
            return self._here().data_version()
        except StoreUnavailable:
            return object()  # equal to nothing, see Held.data_version

    def reading(self) -> Reading:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        return Reading(self._here())

    def writing(self) -> Writing:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        return Writing(self._here(), self.timeout)

    @contextmanager
    def transaction(self, *, ends_tokens: bool = False) -> Iterator[Connection]:
        """One write transaction that survives power loss. ``ends_tokens`` tells all workers, after the commit.

        :raises StoreUnavailable: as in :class:`Writing`; then nothing was committed.
        """
        held = self._here()
        with Writing(held, self.timeout, ends_tokens=ends_tokens) as (connection, driver):
            driver.execute("PRAGMA synchronous=FULL")
            try:
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.execute("COMMIT")
                if ends_tokens and held.counter:
                    held.counter.bump()
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise
            finally:
                driver.execute("PRAGMA synchronous=NORMAL")
