"""The connections of one process to PostgreSQL: SQLAlchemy's pool, and a limit on waiting for it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType

from sqlalchemy import Connection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from ....deadlines import RequestDeadline
from ....errors import NotSent, not_text
from ..engine import make_engine
from ..schema import PLACE
from .driver import ERRORS, Driver, unavailable

_WAIT_SECONDS = 0.25


class Slot:
    """The right to one connection."""

    __slots__ = ("__weakref__",)


class Pool:
    """The connections of one process; a forked child makes a pool of its own.

    Slots in use are referenced weakly. A thread may be interrupted while it takes or returns a connection, and a
    greenlet even while it waits for a lock: then the slot is free again, because nothing refers to it.

    :param dial: opens a connection.
    :param limit: the number of connections at most.
    """

    def __init__(self, dial: Callable[[], Driver], limit: int) -> None:
        self.pid = os.getpid()
        # SQLAlchemy's pool never waits for a connection.
        self.engine = make_engine(
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
        # The schema is known only once there is a connection, so the cursor puts it into the statements.
        self.engine.update_execution_options(schema_translate_map={None: PLACE.strip('"')})
        self._limit = limit
        # Looked up here, because a server may import this, then patch the locks by gevent's, and then fork.
        self.writers = threading.Lock()  # one thread at a time writes to the log
        self._changed = threading.Condition(threading.Lock())
        self._taken: weakref.WeakSet[Slot] = weakref.WeakSet()
        self.in_use: weakref.WeakSet[Link] = weakref.WeakSet()
        self.returned = object()  # another object after each return of a usable connection
        self.checked = False
        self.closed = False
        event.listen(self.engine, "checkout", _refuse_stale)

    def take(self, until: float) -> Slot:
        """
        :raises StoreUnavailable: no slot became free in time.
        """
        slot = Slot()
        with self._changed:
            # The statement of an operation without time left would time out, and cost the connection.
            while (left := until - time.monotonic()) <= 0 or len(self._taken) >= self._limit:
                if left <= 0:
                    raise NotSent("PostgreSQL: all connections of this process stayed in use for too long")
                # In short waits: a waiter that is interrupted just as it is notified notifies no other.
                self._changed.wait(min(left, _WAIT_SECONDS))
            self._taken.add(slot)
        return slot

    def give_back(self, slots: list[Slot]) -> None:
        with self._changed:
            self._taken.difference_update(slots)
            self._changed.notify(len(slots))

    def close(self) -> None:
        """Close the idle connections now, and the others when they are put back."""
        self.closed = True
        self.engine.dispose()


class Link:
    """A context manager with a connection: the driver's for the hot statements, and SQLAlchemy's around it.

    :param until: a time of the monotonic clock, by which all waits end.
    :raises StoreUnavailable: PostgreSQL does not answer in time, or a statement failed.
    """

    __slots__ = ("__weakref__", "_core", "_pool", "_proxy", "_slots", "_source", "_until", "driver")

    driver: Driver

    def __init__(self, pool: Pool, until: float) -> None:
        self._pool = pool
        self._until = until
        self._slots: list[Slot] = []
        self._proxy: PoolProxiedConnection | None = None
        self._core: Connection | None = None

    @property
    def core(self) -> Connection:
        if self._core is None:
            self._core = Connection(self._pool.engine, self._proxy)
        return self._core

    def __enter__(self) -> Link:
        try:
            self._take()
        except BaseException:
            self._put_back()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._put_back()
        if isinstance(error, UnicodeEncodeError):
            raise not_text() from None
        if isinstance(error, ERRORS):
            raise unavailable(error) from None

    def _take(self) -> None:
        """Take a connection out of the pool, or open one."""
        pool, returned = self._pool, self._pool.returned
        while self._proxy is None:
            self._slots.append(pool.take(self._until))
            self._source = pool.engine.pool
            try:
                with RequestDeadline(max(self._until - time.monotonic(), 0)):
                    self._proxy = pool.engine.raw_connection()
            except ERRORS as error:
                # A server without room for one more still serves those in use: wait until one of them is returned.
                if not pool.in_use and returned is pool.returned:
                    raise NotSent(unavailable(error).reason) from None
                returned = pool.returned
        pool.in_use.add(self)
        self.driver = driver_of(self._proxy)
        self.driver.deadline = self._until

    def _put_back(self) -> None:
        """Return the connection to the pool, or close it where it cannot be used again."""
        pool = self._pool
        try:
            pool.in_use.discard(self)
            # It is not valid if SQLAlchemy has found that the connection was lost.
            if self._proxy is not None and self._proxy.is_valid:
                driver = driver_of(self._proxy)
                driver.roll_back()
                if driver.is_unanswered():
                    # The idle ones lead to the same server. Finding that out one by one would take a timeout each.
                    pool.engine.dispose()
                if pool.closed or self._source is not pool.engine.pool or not driver.is_idle():
                    self._proxy.invalidate()
                else:
                    self._proxy.close()
                    pool.returned = object()
        finally:
            # Only now: a caller that has a slot must find a connection in the pool, or room for one.
            slots, self._slots = self._slots, []
            pool.give_back(slots)


def driver_of(proxy: PoolProxiedConnection) -> Driver:
    """The driver's connection under one of SQLAlchemy's pool."""
    driver = proxy.driver_connection
    assert isinstance(driver, Driver)
    return driver


def _refuse_stale(driver: object, record: object, proxy: object) -> None:
    """Have SQLAlchemy replace a connection that ended, or on which an operation was interrupted."""
    assert isinstance(driver, Driver)
    if driver.is_stale():
        raise DisconnectionError
