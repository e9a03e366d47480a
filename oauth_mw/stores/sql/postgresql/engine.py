"""PostgreSQL: first contact, and transactions that are known to have been kept."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, func
from sqlalchemy.sql import ClauseElement

from ....deadlines import RequestDeadline, deadline_in
from ....errors import ConfigError, StoreUnavailable
from ..schema import PLACE
from .crash_marker import MARKED_ID, mark, new_mark
from .driver import ERRORS, Driver, dialling, let_go, pooling, unsuitable
from .listener import Listener, notify
from .pool import Link, Pool, driver_of
from .search_path import Unusable, has_table, missing_rights, warnings
from .url import arguments, dialect, hosts, parsed, shown

OLDEST = 14
CONNECTIONS = 16
ENCODINGS = ("UTF8", "SQL_ASCII")
LATE = 0.1  # of the timeout: who has less of it left after his commit asks nothing more

# Who makes the tables holds this lock: of several starts one makes them.
_MAKING = f"SELECT pg_advisory_xact_lock({int.from_bytes(b'oauth_mw')})"
_UNSAFE = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name"
# As the server is configured, but never less than on its own disk.
_DURABLE = (
    "SET LOCAL synchronous_commit TO DEFAULT",
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'",
)
# One row stands for the right to change clients and to append to the log, so that events become
# visible in the order of their positions. A lock on it is written down like a change, so that every
# commit waits for its standby, also that of a change which somebody had made before, unconfirmed.
_TURN = f"SELECT 1 FROM {PLACE}.oauth_mw_store FOR UPDATE"


class PostgresEngine:
    """Connections to one database, for :class:`~oauth_mw.stores.sql.store.SQLStore`.

    :param url: ``postgresql+psycopg://…`` as SQLAlchemy reads it; its query may hold what libpq takes.
    :param timeout: seconds that one operation may take, connecting included.
    :raises ConfigError: a URL that cannot work.
    """

    immediate = False
    locks_rows = True
    microseconds = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
    store_id = MARKED_ID

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
    @cache  # SQLAlchemy takes a millisecond for each
    def compiled(statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        names: Any = {"schema_translate_map": {None: PLACE.strip('"')}, "render_schema_translate": True}
        return str(statement.compile(dialect=dialect(paramstyle="format"), **names))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """First contact, and nothing held afterwards, so that nothing crosses a fork.

        :param create: makes the tables where they are missing; kept until a contact succeeds.
        :raises ConfigError: no store there, or none that this code can use.
        :raises StoreUnavailable: it does not answer for now.
        """
        self._create = create
        try:
            self._contact(deadline_in(self.timeout))
        finally:
            self.close()

    def _here(self, until: float) -> Pool:
        """This process's connections, to a store that was judged.

        :raises StoreUnavailable: there is no usable store now.
        """
        pool = self._pool
        if pool is not None and pool.judged and pool.pid == os.getpid():
            return pool
        try:
            return self._contact(until)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self, until: float) -> Pool:
        # Each process has a lock of its own: one that came with a fork may have been held.
        opening = self._opening.setdefault(os.getpid(), threading.Lock())
        with _turn(opening, until):
            pool = self._pool
            if pool is None or pool.pid != os.getpid():
                let_go()  # where a server forks past Python
                pool = self._pool = Pool(pooling(self._dial, CONNECTIONS), CONNECTIONS)
            if not pool.judged:
                try:
                    with Link(pool, until) as link:
                        self._judge(link, until)
                except Unusable as error:
                    raise ConfigError("store", f"{self.url}: {error}") from None
                pool.judged = True
            return pool

    def _judge(self, link: Link, until: float) -> None:
        """Make the tables, if this is the start that may, and judge what is there."""
        if link.driver.info.server_version < OLDEST * 10_000:
            raise ConfigError("store", f"{self.url} is an older PostgreSQL than {OLDEST}: upgrade it")
        if link.driver.info.parameter_status("server_encoding") not in ENCODINGS:
            raise ConfigError("store", f"{self.url} is a database whose encoding is not {ENCODINGS[0]}")
        try:
            if self._create:
                link.driver.begin(_lock_timeout(until), _MAKING)
                self._create(link.core)
                try:
                    self.check(link.core)
                    if not has_table(link.driver, mark.name):
                        mark.create(link.core)
                except ERRORS:
                    # What the check asks to tell why, a transaction that has failed does not answer.
                    link.driver.roll_back()
                    self.check(link.core)
                    raise
                _commit(link.driver)
            else:
                self.check(link.core)
                has_table(link.driver, mark.name)
        except ERRORS as error:
            reason = unsuitable(error)
            if reason:
                raise ConfigError("store", "; ".join((f"{self.url}: {reason}", *_lacking(link.driver)))) from None
            raise
        self._create = None

    def has_table(self, connection: Connection, name: str) -> bool:
        return has_table(driver_of(connection.connection), name)

    def verify(self) -> None:
        """A connection that was lost shows by itself."""

    def renew(self) -> None:
        """
        :raises StoreUnavailable: it cannot be told for how long the store remembers.
        """
        with self.writing() as link:
            link.driver.execute(new_mark())

    def swept(self, rows: int) -> None:
        """Autovacuum does the rest."""

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
        """
        :raises StoreUnavailable: PostgreSQL does not answer.
        """
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

    def reading(self) -> Link:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        until = deadline_in(self.timeout)
        return Link(self._here(until), until)

    writing = reading

    @contextmanager
    def transaction(self, *, revokes: bool = False) -> Iterator[Connection]:
        """One after the other, kept as safely as the server is configured for. With ``revokes`` this
        process learns of it at once.

        A commit that was not confirmed in time waits on in the server, for its standby, and has its
        turn until then. So there is one such wait at most, however often the caller repeats.

        :raises StoreUnavailable: it may or may not have been kept: the caller repeats it.
        """
        until = deadline_in(self.timeout)
        pool = self._here(until)
        # Those that wait for their turn leave the other connections to those who read.
        with _turn(pool.turn, until), Link(pool, until) as link:
            driver = link.driver
            driver.begin(*_DURABLE, _lock_timeout(until), _TURN)
            yield link.core
            _commit(driver)
            # A caller with less time left than that would lose the connection over another statement.
            left = until - time.monotonic()
            left = left if left > self.timeout * LATE else 0
            if revokes and left:
                notify(driver)
        if revokes:
            with RequestDeadline(left):
                for told in self._callbacks:
                    told()


def _lacking(driver: Driver) -> list[str]:
    """The missing rights, where they can be found out."""
    driver.roll_back()
    try:
        return missing_rights(driver)
    except ERRORS:
        return []


def _commit(driver: Driver) -> None:
    """
    :raises StoreUnavailable: a standby that must confirm it did not, though it may be kept (the server only warns).
    """
    driver.warned = False
    done = driver.execute("COMMIT")
    if driver.warned or done.statusmessage != "COMMIT":
        raise StoreUnavailable("PostgreSQL did not confirm the commit")


@contextmanager
def _turn(lock: threading.Lock, until: float) -> Iterator[None]:
    if not lock.acquire(timeout=max(until - time.monotonic(), 0)):
        raise StoreUnavailable("others kept the store busy for too long")
    try:
        yield
    finally:
        lock.release()


def _lock_timeout(until: float) -> str:
    """Let a wait in the server end a little before our own does, so that the connection is as good as before."""
    return f"SET LOCAL lock_timeout TO {max(int((until - time.monotonic()) * 900), 1)}"
