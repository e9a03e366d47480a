"""The SQLite engine.

Beside the database lies a small file with a number in it, mapped into every process. A process that appends to the
revocation log changes the number after the commit and before it answers, so a worker reads one word of memory to see
whether the log grew. Writers queue for a lock on the same file, because SQLite's own locks are unfair. Without
``fcntl``, SQLite's ``data_version`` and its own locks take the places of both.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from time import monotonic
from typing import Any

from sqlalchemy import Connection, inspect, literal_column, text
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from ....deadlines import deadline_in
from ....errors import ConfigError, StoreBroken, StoreMissing, StoreUnavailable
from ....processes import PerProcess
from .. import schema
from ..statements import Upsert
from .change_counter import has_counter
from .connections import FILE, ConnectionSet, unavailable
from .contact import dialling, make_tables, schema_version, settle, write_back
from .files import (
    Identity,
    absolute,
    as_owner,
    check_names,
    check_planted,
    identity_of,
    is_shared,
    keep_copy,
    make_database,
)
from .fork import Link
from .sessions import ReadSession, WriteSession, read_row, write_row

# Some 500 pages of the -wal file; SQLite itself waits for 1,000.
SWEPT_ROWS = 16_000

# Code of the database's owner that would run within our statements, perhaps without end: a view or a virtual table of
# one of our names, a trigger on one of our tables, and what takes the place of SQLite's own.
_NOT_PLAIN = text("""
SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') AND lower(tbl_name) GLOB 'oauth_mw_*'
OR type = 'table' AND rootpage = 0 AND lower(name) GLOB 'oauth_mw_*' OR lower(name) GLOB 'pragma_*' LIMIT 1
""")


class SQLiteEngine:
    """Connections to one database file.

    :param path: the part of the URL after ``sqlite://``.
    :param timeout: seconds that one operation may wait.
    """

    generation_shows_all = True
    upsert: Upsert = staticmethod(insert)
    locks_rows = False
    microseconds = None  # the clock is the machine's
    # The file and the schema's version give a restored backup another id, even if its log ends at the same position.
    # A power failure leaves no worker that has cached what was lost.
    store_id = schema.store.c.store_id + literal_column(
        f"'/' || {FILE}() || '/' || (SELECT schema_version FROM pragma_schema_version)"
    )

    def __init__(self, path: str, timeout: float) -> None:
        if not path.startswith("/") or path == "/" or path.startswith("/:memory:") or "?" in path or "\0" in path:
            raise ConfigError("store", "expected sqlite:///file (for a store in memory: memory://)")
        self.path = absolute(path[1:])
        self.url = "sqlite:///" + self.path
        self.timeout = timeout
        self.generation: Callable[[], object] = object
        self.check: Callable[[Connection], None] = lambda connection: None
        self._create: Callable[[Connection], None] | None = None
        self._connections: ConnectionSet | None = None
        self._served: tuple[Identity, int] | None = None  # the file, and the version of its schema
        self._exchanges = 0
        self._mounts_seen = True
        self._swept = 0
        self._opening = PerProcess(threading.Lock)
        self._dial = dialling(self.path, timeout)

    @staticmethod
    @cache  # SQLAlchemy takes a millisecond to compile a statement
    def compiled(statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        return str(statement.compile(dialect=dialect(paramstyle="qmark")))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """Make first contact, and close everything again, so that no fork inherits anything.

        :param create: creates the tables if they are missing, at this contact or a later one.
        :raises ConfigError: there is no store, or none that this version can use.
        :raises StoreUnavailable: it does not answer for now, or it is damaged and has been used before.
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
        not_plain = connection.execute(_NOT_PLAIN).first()
        if not_plain:
            raise ConfigError(
                "store", "{} holds the {} {!r}, which is not the store's: drop it".format(self.url, *not_plain)
            )
        return inspect(connection).has_table(name)

    def _usable(self) -> ConnectionSet | None:
        found = self._connections
        return found if found is not None and found.pid == os.getpid() and not found.closed else None

    def _current(self, until: float) -> ConnectionSet:
        """The connections of this process; new ones after a fork, and within a second after the files were exchanged.

        :raises StoreUnavailable: there is no usable store now.
        """
        connections = self._connections
        # As in _usable(): a call less for each statement.
        if connections is not None and connections.pid == os.getpid() and not connections.closed:
            if monotonic() < connections.check_due or connections.is_current(until):
                return connections
        try:
            return self._contact(until)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self, until: float) -> ConnectionSet:
        opening = self._opening.get()
        if not opening.acquire(timeout=max(until - monotonic(), 0)):
            raise StoreUnavailable(f"another thread has been opening {self.path} for {self.timeout:g} s")
        try:
            connections = self._usable()
            if connections is not None:
                return connections
            if self._connections is not None and self._connections.exchanged:
                self._exchanges += 1
            with as_owner(self.path):
                connections = self._prepared(until)
            self.generation = connections.counter.read if connections.counter else self._data_version
            self._connections = connections
            return connections
        except OSError as error:
            raise StoreUnavailable(f"the store's files cannot be opened: {error.strerror}") from None
        except (sqlite3.Error, DBAPIError) as error:
            if getattr(getattr(error, "orig", error), "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise StoreBroken(f"{self.path} is not an SQLite database") from None
            raise unavailable(error) from None
        finally:
            opening.release()

    def _prepared(self, until: float) -> ConnectionSet:
        """Check the files before anything is written; create the tables if they are missing and may be created."""
        database = identity_of(os.stat(self.path))
        self._mounts_seen = check_names(self.path)
        check_planted(self.path)
        # SQLite keeps this file while any process has the database open by this name.
        in_use = os.path.exists(os.path.realpath(self.path) + "-shm")
        link = self._dial(until)
        try:
            link.wait_at_most(until - monotonic())
            missing = self._is_missing(link)
            link.wait_at_most(until - monotonic())
            connections = ConnectionSet(self.path, database, self._dial, self.timeout, self._exchanges)
            if missing and self._create:
                make_tables(self._create, connections.counter, link, until)
                self.check(link.core)
            if connections.counter:
                served = self._served == (database, schema_version(link))
                own_name = self._mounts_seen and (served or (in_use and connections.counter.nonce > 0))
                settle(self.path, connections.counter, link, served=served, own_name=own_name, until=until)
            if is_shared(self.path):
                # In another mode, SQLite looks for a rollback journal before every statement.
                link.driver.execute("PRAGMA journal_mode=WAL")
            version = schema_version(link)
            link.wait_at_most(self.timeout)
            check_planted(self.path)  # again: SQLite has opened its files by now
            connections.begin_with(link)
        except BaseException:
            link.close(broken=True)
            raise
        if not connections.is_current(until):
            raise connections.exchanged_error()
        self._create, self._served = None, (database, version)
        return connections

    def _is_missing(self, link: Link) -> bool:
        """Whether to create the tables.

        :raises ConfigError: this version can neither use what is there nor create what is missing.
        """
        try:
            self.check(link.core)
        except StoreMissing:
            if self._create is None:
                raise
            return True
        # A database that was restored from a dump is not in WAL mode: its readers would wait for writers.
        return self._create is not None and link.driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal"

    def begin_upgrade(self, connection: Connection) -> str:
        driver: Any = connection.connection.driver_connection
        # What is not UTF-8 is refused with its row, where the client's name is known.
        driver.text_factory = lambda found: found.decode(errors="surrogateescape")
        return keep_copy(self.path)

    def hand_on(self, connection: Connection, table: str, heir: str) -> None:
        """Rights are those of the file."""

    def renew(self) -> None:
        """Never needed."""

    def recheck(self) -> None:
        """Nothing to check: :meth:`verify` checks the files."""

    def verify(self) -> None:
        """Check the files, and open the new ones if they were exchanged.

        :raises StoreUnavailable: they are not there.
        """
        until = deadline_in(self.timeout)
        if not self._current(until).is_current(until):
            self._current(until)

    def swept(self, rows: int) -> None:
        """After many rows, write the ``-wal`` file into the database while other writers continue.

        Otherwise a commit that finds the file long does it, and all writers wait.
        """
        self._swept += rows
        if self._swept >= SWEPT_ROWS:
            self._swept = 0
            with suppress(StoreUnavailable), self.reading() as link:
                link.driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """Never called: the generation changes with every revocation."""

    def waiter(self) -> None:
        """Nothing wakes a follower."""

    def warnings(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        connections, self._connections = self._connections, None
        self.generation = object  # the counter's method would keep its file open
        if connections:
            connections.close()

    def _data_version(self) -> object:
        connections = self._usable()
        # An object is equal to nothing else, so that the caller reads the log.
        return connections.data_version() if connections else object()

    def read_row(self, statement: str, values: Sequence[object]) -> Any:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        until = deadline_in(self.timeout)
        return read_row(self._current(until), until, statement, values)

    def write_row(self, statement: str, values: Sequence[object]) -> None:
        """
        :raises StoreUnavailable: as in :class:`WriteSession`.
        """
        until = deadline_in(self.timeout)
        write_row(self._current(until), until, statement, values)

    def reading(self) -> ReadSession:
        until = deadline_in(self.timeout)
        return ReadSession(self._current(until), until)

    def writing(self) -> WriteSession:
        until = deadline_in(self.timeout)
        return WriteSession(self._current(until), until)

    @contextmanager
    def batch(self) -> Iterator[Link]:
        """
        :raises StoreUnavailable: as in :class:`WriteSession`, and nothing was committed.
        """
        with self.writing() as link:
            driver = link.driver
            try:
                driver.execute("BEGIN IMMEDIATE")
                yield link
                driver.execute("COMMIT")
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise

    @contextmanager
    def transaction(self, *, revokes: bool = False, upgrades: bool = False) -> Iterator[Connection]:
        """A write transaction that survives power loss.

        :param revokes: after the commit, change the counter, so that all workers read the log.
        :raises StoreUnavailable: as in :class:`WriteSession`, and nothing was committed; or as in :func:`write_back`.
        """
        until = deadline_in(self.timeout)
        connections = self._current(until)
        with WriteSession(connections, until, all_files=True) as (connection, driver, _):
            try:
                driver.execute("PRAGMA synchronous=FULL")
                driver.execute("BEGIN IMMEDIATE")
                yield connection
                driver.execute("COMMIT")
                if revokes and connections.counter:
                    connections.counter.bump()
                if not self._mounts_seen:
                    write_back(driver)
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise
            finally:
                driver.execute("PRAGMA synchronous=NORMAL")
