"""PostgreSQL: first contact, and transactions whose commit was confirmed.

No commit waits for an issued token, so a crash or fail-over may lose it while workers have it cached, and then it can
no longer be revoked. So an unlogged table, which PostgreSQL empties after a crash, holds a *crash marker*. It is part
of the store's id for followers, which empty their caches when it changes.
"""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import ClauseElement

from ....deadlines import RequestDeadline, deadline_in
from ....errors import ConfigError, NotSent, StoreUnavailable
from ..schema import PLACE, crash_marker, log_only, metadata, revocations, store
from ..statements import Upsert
from .driver import ERRORS, Driver, abandon_inherited, dialling, unsuitable
from .listener import Listener, notify
from .pool import Link, Pool, driver_of
from .search_path import Unusable, act_as_owner, hand_on, has_table, missing_rights, warnings
from .url import arguments, dialect, hosts, parsed, shown

OLDEST = 14
CONNECTIONS = 16
ENCODINGS = ("UTF8", "SQL_ASCII")
MIN_LEFT = 0.1  # of the timeout: with less of it left after a commit, no further statement is sent

_SET_MARKER = f"INSERT INTO {PLACE}.{crash_marker.name} (one, mark) VALUES (1, '%s') ON CONFLICT DO NOTHING"

# Not in the schema: it would import this dialect for SQLite, too.
log_only.dialect_options["postgresql"]["where"] = revocations.c.log_only

# Exactly one of several workers that start at once creates the tables.
_CREATING = f"SELECT pg_advisory_xact_lock({int.from_bytes(b'oauth_mw')})"
_UNSAFE = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name"
# As the server is configured, but never less than on its own disk.
_DURABLE = (
    "SET LOCAL synchronous_commit TO DEFAULT",
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'",
)
# A lock on this row is needed to change clients and to append to the log, so that events become visible in the order of
# their positions. PostgreSQL logs the lock like a change, so every commit waits for the standby, even if an
# unconfirmed commit before it left nothing to change.
_WRITE_LOCK = f"SELECT 1 FROM {PLACE}.oauth_mw_store FOR UPDATE"
# An upgrade changes this table. Holding the row's lock, it would wait for those that wait for that lock.
_TABLE_LOCK = f"LOCK TABLE {PLACE}.oauth_mw_store IN ACCESS EXCLUSIVE MODE"


class PostgresEngine:
    """Connections to one database, for :class:`~oauth_mw.stores.sql.store.SQLStore`.

    :param url: ``postgresql+psycopg://…`` as SQLAlchemy reads it; its query may hold what libpq takes.
    :param timeout: seconds that one operation may take, connecting included.
    :raises ConfigError: a URL that cannot work.
    """

    generation_shows_all = False
    upsert: Upsert = staticmethod(insert)
    locks_rows = True
    microseconds = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
    # Tables that were dropped and created again have another OID, whatever was copied into them.
    store_id = (
        store.c.store_id
        + literal_column("'/' || oauth_mw_store.tableoid || '/'")
        + select(crash_marker.c.mark).scalar_subquery()
    )

    def __init__(self, url: str, timeout: float) -> None:
        address = parsed(url)
        self.url = shown(address)
        self.timeout = timeout
        self.generation: Callable[[], object] = int
        self.check: Callable[[Connection], None] = lambda connection: None
        given = arguments(address, timeout)
        self._dial = dialling(given, timeout, timeout / hosts(given))
        self._create: Callable[[Connection], None] | None = None
        self._pool: Pool | None = None
        self._opening: dict[int, threading.Lock] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()

    @staticmethod
    @cache  # SQLAlchemy takes a millisecond to compile a statement
    def compiled(statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        names: Any = {"schema_translate_map": {None: PLACE.strip('"')}, "render_schema_translate": True}
        return str(statement.compile(dialect=dialect(paramstyle="format"), **names))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """Make first contact, and close everything again, so that nothing crosses a fork.

        :param create: creates the tables if they are missing; kept until a contact succeeds.
        :raises ConfigError: there is no store, or none that this version can use.
        :raises StoreUnavailable: PostgreSQL does not answer for now.
        """
        self._create = create
        try:
            self._contact(deadline_in(self.timeout))
        finally:
            self.close()

    def _current(self, until: float) -> Pool:
        """The connections of this process, to a store that was checked.

        :raises StoreUnavailable: there is no usable store now.
        """
        pool = self._pool
        if pool is not None and pool.checked and pool.pid == os.getpid():
            return pool
        try:
            return self._contact(until)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    @contextmanager
    def _locked(self, lock: threading.Lock, until: float) -> Iterator[None]:
        if not lock.acquire(timeout=max(until - time.monotonic(), 0)):
            raise NotSent(f"PostgreSQL: other threads kept the store busy for {self.timeout:g} s")
        try:
            yield
        finally:
            lock.release()

    def _contact(self, until: float) -> Pool:
        # Each process has a lock of its own: a lock that was inherited by a fork may be held.
        opening = self._opening.setdefault(os.getpid(), threading.Lock())
        with self._locked(opening, until):
            pool = self._pool
            if pool is None or pool.pid != os.getpid():
                abandon_inherited()  # a server may fork without Python's hooks
                pool = self._pool = Pool(self._dial, CONNECTIONS)
            if not pool.checked:
                try:
                    with Link(pool, until) as link:
                        self._check_store(link, until)
                except Unusable as error:
                    raise ConfigError("store", f"{self.url}: {error}") from None
                pool.checked = True
            return pool

    def _check_store(self, link: Link, until: float) -> None:
        """Check the store; create the tables first if :meth:`open` was asked to."""
        if link.driver.info.server_version < OLDEST * 10_000:
            raise ConfigError("store", f"{self.url} is an older PostgreSQL than {OLDEST}: upgrade PostgreSQL")
        if link.driver.info.parameter_status("server_encoding") not in ENCODINGS:
            raise ConfigError("store", f"{self.url} is a database whose encoding is not {ENCODINGS[0]}: create another")
        try:
            others = [name for name in (*metadata.tables, crash_marker.name) if name != store.name]
            complete = has_table(link.driver, store.name) and all([has_table(link.driver, name) for name in others])
            # Any role may hold the lock, so it is taken only where something is missing.
            if self._create and not complete:
                link.driver.begin(_lock_timeout(until), _CREATING)
                self._create(link.core)
                try:
                    self.check(link.core)
                    if not has_table(link.driver, crash_marker.name):
                        crash_marker.create(link.core)
                except ERRORS:
                    # The check finds the reason, but only outside of the transaction that has failed.
                    link.driver.roll_back()
                    if link.driver.is_idle():
                        self.check(link.core)
                    raise
                _commit(link.driver)
            else:
                self.check(link.core)
        except ERRORS as error:
            reason = unsuitable(error)
            if reason:
                raise ConfigError("store", "; ".join((f"{self.url}: {reason}", *_lacking(link.driver)))) from None
            raise
        self._create = None

    def has_table(self, connection: Connection, name: str) -> bool:
        return has_table(driver_of(connection.connection), name)

    def begin_upgrade(self, connection: Connection) -> str:
        driver = driver_of(connection.connection)
        act_as_owner(driver)
        # A large store takes long. A wait for a lock still ends by the timeout.
        driver.execute("SET LOCAL statement_timeout TO 0; SET LOCAL idle_in_transaction_session_timeout TO 0")
        driver.deadline = math.inf
        return ""

    def hand_on(self, connection: Connection, table: str, heir: str) -> None:
        hand_on(driver_of(connection.connection), table, heir)

    def verify(self) -> None:
        """Nothing to check: a statement over a lost connection fails."""

    def renew(self) -> None:
        with self.writing() as link:
            link.driver.execute(_SET_MARKER % secrets.token_hex(8))

    def recheck(self) -> None:
        until = deadline_in(self.timeout)
        pool = self._current(until)
        pool.checked = False
        pool.engine.dispose()  # each connection uses the schema that it found when it was opened
        self._current(until)

    def swept(self, rows: int) -> None:
        """Nothing to do: autovacuum follows."""

    def on_revocation(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def waiter(self) -> Listener:
        listener = Listener(self._dial, self._notify)
        self._listeners.add(listener)
        return listener

    def _notify(self, payload: str) -> None:
        with self.writing() as link:
            notify(link.driver, payload)

    def warnings(self) -> Sequence[str]:
        with self.reading() as link:
            off = link.driver.execute(_UNSAFE).fetchall()
            by_roles = [*missing_rights(link.driver), *warnings(link.driver)]
        loses = "a crash or power failure loses revocations or the database"
        return [*(f"PostgreSQL has {name} off: {loses}" for (name,) in off), *by_roles]

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None and pool.pid == os.getpid():
            pool.close()
        for listener in list(self._listeners):
            listener.interrupt()

    def read_row(self, statement: str, values: Sequence[object]) -> Any:
        with self.reading() as link:
            # In binary form a position, too, has the same size for all clients.
            return link.driver.execute(statement, values, binary=True).fetchone()

    def write_row(self, statement: str, values: Sequence[object]) -> None:
        with self.writing() as link:
            link.driver.execute(statement, values)

    def reading(self) -> Link:
        until = deadline_in(self.timeout)
        return Link(self._current(until), until)

    writing = reading

    @contextmanager
    def batch(self) -> Iterator[Link]:
        until = deadline_in(self.timeout)
        with Link(self._current(until), until) as link:
            link.driver.begin(_lock_timeout(until))
            yield link
            link.driver.execute("COMMIT")

    @contextmanager
    def transaction(self, *, revokes: bool = False, upgrades: bool = False) -> Iterator[Connection]:
        """A transaction that holds the write lock, and is as durable as the server is configured to make it.

        A commit that a standby does not confirm in time keeps waiting in the server, and holds the lock. So there is at
        most one such wait, however often the caller tries again.

        :param revokes: after the commit, wake all followers, and call the callbacks of this process.
        :param upgrades: nothing else reads the store meanwhile.
        :raises StoreUnavailable: it may or may not have been committed, and can be repeated.
        """
        until = deadline_in(self.timeout)
        pool = self._current(until)
        # Writers wait here, and leave the other connections to readers.
        with self._locked(pool.writers, until), Link(pool, until) as link:
            driver = link.driver
            driver.begin(*_DURABLE, _lock_timeout(until), _TABLE_LOCK if upgrades else _WRITE_LOCK)
            yield link.core
            _commit(driver)
            # With less time left, another statement could cost the connection.
            left = until - time.monotonic()
            left = left if left > self.timeout * MIN_LEFT else 0
            if revokes and left:
                notify(driver)
        if revokes:
            with RequestDeadline(left):
                for callback in self._callbacks:
                    callback()


def _lacking(driver: Driver) -> list[str]:
    """The missing rights, as far as they can be read."""
    driver.roll_back()
    try:
        return missing_rights(driver)
    except ERRORS:
        return []


def _commit(driver: Driver) -> None:
    """Commit, and check that the standby has confirmed it: if it has not, the server only warns.

    :raises StoreUnavailable: it was not confirmed. It may have been committed.
    """
    driver.warned = False
    done = driver.execute("COMMIT")
    if driver.warned or done.statusmessage != "COMMIT":
        raise StoreUnavailable(
            "PostgreSQL did not confirm the commit: a standby does not answer, or the transaction failed"
        )


def _lock_timeout(until: float) -> str:
    """Let a wait in the server end a little before our own deadline, so that the connection can be used again."""
    return f"SET LOCAL lock_timeout TO {max(int((until - time.monotonic()) * 900), 1)}"
