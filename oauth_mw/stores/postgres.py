"""PostgreSQL: first contact, and transactions that are known to have been kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

import psycopg
from sqlalchemy import BigInteger, Connection, cast, func
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from ..errors import ConfigError, StoreUnavailable
from ..patience import deadline
from .pool import Pool
from .postgres_driver import Driver, Link, arguments, dialect, make_engine, parsed, shown, words

OLDEST = 14
CONNECTIONS = 16

# Who makes the tables holds this lock: of several starts one makes them.
_MAKING = f"SELECT pg_advisory_xact_lock({int.from_bytes(b'oauth_mw')})"
# One row stands for the right to change clients and to append to the log, so that events become
# visible in the order of their positions.
_TURN = "SELECT 1 FROM oauth_mw_store FOR UPDATE"


class PostgresEngine:
    """Connections to one database, for :class:`~oauth_mw.stores.sql.SQLStore`.

    :param url: ``postgresql+psycopg://…`` as SQLAlchemy reads it; its query may hold what libpq takes.
    :param timeout: seconds that one operation may take, connecting included.
    :raises ConfigError: a URL that cannot work.
    """

    immediate = False
    locks_rows = True
    microseconds = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)

    def __init__(self, url: str, timeout: float) -> None:
        address = parsed(url)
        self.url = shown(address)
        self.timeout = timeout
        self.generation: Callable[[], object] = int
        self.check: Callable[[Connection], None] = lambda connection: None
        self._engine = make_engine(arguments(address, timeout), timeout)
        self._create: Callable[[Connection], None] | None = None
        self._pool = Pool(self._dial, CONNECTIONS)
        self._known = False
        self._opening: dict[int, threading.Lock] = {}
        self._inherited: list[object] = []
        self._watching: list[Callable[[], None]] = []

    def compiled(self, statement: ClauseElement) -> str:
        """The text of a hot statement, for a driver connection and parameters in the order of the text."""
        return str(statement.compile(dialect=dialect(paramstyle="format")))

    def open(self, create: Callable[[Connection], None] | None) -> None:
        """First contact, and nothing held afterwards, so that nothing crosses a fork.

        :param create: makes the tables where they are missing; kept until a contact succeeds.
        :raises ConfigError: no store there, or none that this code can use.
        :raises StoreUnavailable: it does not answer for now.
        """
        self._create = create
        try:
            self._contact(deadline(self.timeout))
        finally:
            self.close()

    def _here(self, until: float) -> Pool[Link]:
        """This process's connections, to a store that was judged.

        :raises StoreUnavailable: there is no usable store now.
        """
        if self._known and self._pool.pid == os.getpid():
            return self._pool
        try:
            return self._contact(until)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _contact(self, until: float) -> Pool[Link]:
        # Each process has a lock of its own: one that came with a fork may have been held.
        opening = self._opening.setdefault(os.getpid(), threading.Lock())
        if not opening.acquire(timeout=max(until - time.monotonic(), 0)):
            raise StoreUnavailable("the store is being opened")
        try:
            if self._pool.pid != os.getpid():
                # To close one would end the parent's session.
                self._inherited.append(self._pool)
                self._pool, self._known = Pool(self._dial, CONNECTIONS), False
            if not self._known:
                with Using(self._pool, until) as link:
                    self._judge(link)
                self._known = True
            return self._pool
        finally:
            opening.release()

    def _judge(self, link: Link) -> None:
        """Make the tables, if this is the start that may, and judge what is there."""
        if link.driver.info.server_version < OLDEST * 10_000:
            raise ConfigError("store", f"{self.url} is an older PostgreSQL than {OLDEST}: upgrade it")
        if self._create:
            try:
                link.driver.execute(f"BEGIN; {_MAKING}")
                self._create(link.core)
                _commit(link.driver)
            except (psycopg.errors.InsufficientPrivilege, DBAPIError) as error:
                if isinstance(getattr(error, "orig", error), psycopg.errors.InsufficientPrivilege):
                    raise ConfigError("store", f"{self.url}: {words(error)}") from None
                raise
        self.check(link.core)
        self._create = None

    def _dial(self) -> Link:
        try:
            core = self._engine.connect()
        except (psycopg.Error, DBAPIError) as error:
            raise StoreUnavailable(words(error)) from None
        driver = core.connection.driver_connection
        assert isinstance(driver, Driver)
        return Link(core, driver)

    def look(self) -> None:
        """A connection that was lost shows by itself."""

    def watch(self, ended: Callable[[], None]) -> None:
        self._watching.append(ended)

    def close(self) -> None:
        if self._pool.pid == os.getpid():
            self._pool.close()
            self._pool, self._known = Pool(self._dial, CONNECTIONS), False

    def reading(self) -> Using:
        """
        :raises StoreUnavailable: there is no usable store now.
        """
        until = deadline(self.timeout)
        return Using(self._here(until), until)

    writing = reading

    @contextmanager
    def transaction(self, *, ends_tokens: bool = False) -> Iterator[Connection]:
        """One after the other, kept as safely as the server is configured for. ``ends_tokens`` tells this process.

        :raises StoreUnavailable: it may or may not have been kept: the caller repeats it.
        """
        until = deadline(self.timeout)
        try:
            with Using(self._here(until), until) as link:
                driver = link.driver
                begin = f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit TO {driver.durable}"
                driver.execute(f"{begin}; {_TURN}")
                try:
                    yield link.core
                except BaseException:
                    with suppress(psycopg.Error):
                        driver.execute("ROLLBACK")
                    raise
                _commit(driver)
        finally:
            if ends_tokens:
                for told in self._watching:
                    told()


class Using:
    """``with`` a connection, until a time of the monotonic clock.

    :raises StoreUnavailable: PostgreSQL does not answer in time, or cannot do what it was asked.
    """

    __slots__ = ("_link", "_pool", "_until")

    def __init__(self, pool: Pool[Link], until: float) -> None:
        self._pool = pool
        self._until = until

    def __enter__(self) -> Link:
        self._link = self._pool.take(self._until)
        self._link.driver.deadline = self._until
        return self._link

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.put_back(self._link)
        if isinstance(error, psycopg.Error | DBAPIError):
            raise StoreUnavailable(words(error)) from None


def _commit(driver: Driver) -> None:
    """
    :raises StoreUnavailable: a standby that must confirm it did not, though it may be kept (the server only warns).
    """
    driver.warned = False
    done = driver.execute("COMMIT")
    if driver.warned or done.statusmessage != "COMMIT":
        raise StoreUnavailable("PostgreSQL did not confirm the commit")
