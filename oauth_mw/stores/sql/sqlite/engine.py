"""SQLite: connections, the writers' queue, and the counter that tells other processes of a revocation.

Beside the database lies a small file with one number in it, mapped into every process. A process
that appends to the revocation log changes it after the commit and before answering, so that reading
one word of memory tells a worker whether it knows everything. A lock on the same file makes writers
queue, which SQLite itself does unfairly. Where there is no ``fcntl``, SQLite's own
``data_version`` and waiting take the places of both.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from time import monotonic

from sqlalchemy import Connection, inspect, literal_column
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from ....deadlines import deadline_in
from ....errors import ConfigError, StoreBroken, StoreMissing, StoreUnavailable
from ....processes import PerProcess
from .. import schema
from .change_counter import has_counter
from .connections import FILE, ConnectionSet, unavailable
from .contact import dialling, make_tables, schema_version, settle, write_back
from .files import Identity, check_names, check_planted, identity, make_database
from .fork import Link
from .sessions import ReadSession, WriteSession

# Some 500 pages of its log; SQLite itself waits for 1,000.
SWEPT_ROWS = 16_000


class SQLiteEngine:
    """Held connections to one file.

    :param path: what stood after ``sqlite://``.
    :param timeout: seconds that one operation may wait.
    """

    immediate = True
    locks_rows = False
    microseconds = None  # the machine's
    # A restored backup is another store, even if its log ends where this one does. What a power failure takes along, no
    # worker remembers.
    store_id = (
        schema.store.c.store_id
        + literal_column(f"'/' || {FILE}() || '/'")
        + literal_column("(SELECT schema_version FROM pragma_schema_version)")
    )

    def __init__(self, path: str, timeout: float) -> None:
        if not path.startswith("/") or path == "/" or path.startswith("/:memory:") or "?" in path or "\0" in path:
            raise ConfigError("store", "expected sqlite:///file (for a store in memory: memory://)")
        self.path = os.path.abspath(path[1:])
        self.url = "sqlite:///" + self.path
        self.timeout = timeout
        self.generation: Callable[[], object] = object
        self.check: Callable[[Connection], None] = lambda connection: None
        self._create: Callable[[Connection], None] | None = None
        self._held: ConnectionSet | None = None
        self._served: tuple[Identity, int] | None = None  # the file, and the version of its schema
        self._exchanges = 0
        self._mounts_seen = True
        self._swept = 0
        self._opening = PerProcess(threading.Lock)
        self._dial = dialling(self.path, timeout)

    @staticmethod
    @cache  # SQLAlchemy takes a millisecond for each
    def compiled(statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        return str(statement.compile(dialect=dialect(paramstyle="qmark")))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """First contact, and nothing held afterwards, so that nothing crosses a fork.

        :param create: makes the tables where they are missing; kept until a contact succeeds.
        :raises ConfigError: no store there, or none that this code can use.
        :raises StoreUnavailable: it does not answer for now, or is damaged where it has been used before.
        """
        try:
            if create:
                make_database(self.path)
            elif not os.path.isfile(self.path):
                raise StoreMissing(f"there is no store at {self.url}")
            self._create = create
            self._contact(deadline_in(self.timeout))
        except StoreBroken as error:
            self._create = None
            if not create or not has_counter(self.path):
                raise
            raise StoreUnavailable(str(error)) from None
        self.close()

    def has_table(self, connection: Connection, name: str) -> bool:
        return inspect(connection).has_table(name)

    def _usable(self) -> ConnectionSet | None:
        held = self._held
        return held if held is not None and held.pid == os.getpid() and not held.closed else None

    def _here(self, until: float) -> ConnectionSet:
        """What this process holds, made anew after a fork or when the files were exchanged: noticed within a second.

        :raises StoreUnavailable: there is no usable store now.
        """
        held = self._usable()
        if held is not None and (monotonic() < held.due or held.is_current(until)):
            return held
        try:
            return self._contact(until)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self, until: float) -> ConnectionSet:
        opening = self._opening.get()
        if not opening.acquire(timeout=max(until - monotonic(), 0)):
            raise StoreUnavailable("the store is being opened")
        try:
            held = self._usable()
            if held is not None:
                return held
            if self._held is not None and self._held.exchanged:
                self._exchanges += 1
            held = self._prepared(until)
            self.generation = held.counter.read if held.counter else self._data_version
            self._held = held
            return held
        except OSError as error:
            raise StoreUnavailable(f"the store's files cannot be opened: {error.strerror}") from None
        except (sqlite3.Error, DBAPIError) as error:
            if getattr(getattr(error, "orig", error), "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise StoreBroken(f"{self.path} is not an SQLite database") from None
            raise unavailable(error) from None
        finally:
            opening.release()

    def _prepared(self, until: float) -> ConnectionSet:
        """Judge what is there before touching anything; make the tables, if this is the start that may."""
        database = identity(self.path)
        self._mounts_seen = check_names(self.path)
        check_planted(self.path)
        link = self._dial(until)
        try:
            link.wait_at_most(until - monotonic())
            missing = self._judged_missing(link)
            link.wait_at_most(until - monotonic())
            held = ConnectionSet(self.path, database, self._dial, self.timeout, self._exchanges)
            if missing and self._create:
                make_tables(self._create, held.counter, link, until)
                self.check(link.core)
            if held.counter:
                served = self._served == (database, schema_version(link))
                settle(self.path, held.counter, link, served=served, mounts_seen=self._mounts_seen, until=until)
            version = schema_version(link)
            link.wait_at_most(self.timeout)
            check_planted(self.path)  # once more: SQLite has opened its files by now
            held.begin_with(link)
        except BaseException:
            link.close(broken=True)
            raise
        if not held.is_current(until):
            raise StoreUnavailable("the store's files were exchanged")
        self._create, self._served = None, (database, version)
        return held

    def _judged_missing(self, link: Link) -> bool:
        """
        :raises ConfigError: nothing that this code can use, nor make.
        """
        try:
            self.check(link.core)
        except StoreMissing:
            if self._create is None:
                raise
            return True
        # A database that was restored from a dump has readers wait for writers.
        return self._create is not None and link.driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal"

    def renew(self) -> None:
        """Never needed."""

    def verify(self) -> None:
        """Notice that the files were exchanged; open the new ones.

        :raises StoreUnavailable: they are not there.
        """
        until = deadline_in(self.timeout)
        if not self._here(until).is_current(until):
            self._here(until)

    def swept(self, rows: int) -> None:
        """Write what piles up in SQLite's log into the database, while others write on.

        Otherwise the commit that finds the log long would do it, and all writers would wait for that.
        """
        self._swept += rows
        if self._swept >= SWEPT_ROWS:
            self._swept = 0
            with suppress(StoreUnavailable), self.reading() as link:
                link.driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """The generation says it all."""

    def waiter(self) -> None:
        """Nothing wakes a follower."""

    def warnings(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        held, self._held = self._held, None
        self.generation = object  # the counter's would keep its file open
        if held:
            held.close()

    def _data_version(self) -> object:
        held = self._usable()
        return held.data_version() if held else object()  # equal to nothing, so that who asks looks

    def reading(self) -> ReadSession:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        until = deadline_in(self.timeout)
        return ReadSession(self._here(until), until)

    def writing(self) -> WriteSession:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        until = deadline_in(self.timeout)
        return WriteSession(self._here(until), until)

    @contextmanager
    def transaction(self, *, revokes: bool = False) -> Iterator[Connection]:
        """One write transaction that survives power loss. With ``revokes`` all workers learn of it, after the commit.

        :raises StoreUnavailable: as in :class:`WriteSession`; then nothing was committed. Or as in :func:`write_back`.
        """
        until = deadline_in(self.timeout)
        held = self._here(until)
        with WriteSession(held, until, all_files=True) as (connection, driver):
            try:
                driver.execute("PRAGMA synchronous=FULL")
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.execute("COMMIT")
                if revokes and held.counter:
                    held.counter.bump()
                if not self._mounts_seen:
                    write_back(driver)
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise
            finally:
                driver.execute("PRAGMA synchronous=NORMAL")
