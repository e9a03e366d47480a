"""The connections to PostgreSQL that a process has: SQLAlchemy's pool, and a bound on waiting for it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from types import TracebackType

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import PoolProxiedConnection

from ....deadlines import RequestDeadline
from ....errors import StoreUnavailable, not_text
from .driver import ERRORS, Driver, unavailable

_GLANCE = 0.25


class Slot:
    """The right to one connection."""

    __slots__ = ("__weakref__",)


class Pool:
    """The connections of one process; a forked child makes a pool of its own.

    What is in use is held weakly. A thread may be interrupted while it takes a connection or puts it back, and a
    greenlet even where it waits for a lock: then there is room again because nothing holds the slot.

    :param engine: SQLAlchemy's, with a pool that never waits.
    :param limit: the number of connections at most.
    """

    def __init__(self, engine: Engine, limit: int) -> None:
        self.pid = os.getpid()
        self.engine = engine
        self._limit = limit
        # Looked up here: a server may put gevent's locks in their place after it imported this, and then forks.
        self.writers = threading.Lock()  # one thread at a time writes to the log
        self._changed = threading.Condition(threading.Lock())
        self._taken: weakref.WeakSet[Slot] = weakref.WeakSet()
        self.in_use: weakref.WeakSet[Link] = weakref.WeakSet()
        self.returned = object()  # another one after each connection that came back usable
        self.checked = False
        self.closed = False
        event.listen(engine, "checkout", _refuse_stale)

    def take(self, until: float) -> Slot:
        """
        :raises StoreUnavailable: no slot became free in time.
        """
        slot = Slot()
        with self._changed:
            # An operation that has no time left would only lose the connection over its statement.
            while (left := until - time.monotonic()) <= 0 or len(self._taken) >= self._limit:
                if left <= 0:
                    raise StoreUnavailable("PostgreSQL: all connections of this process stayed in use for too long")
                # By glances: a waiter that is interrupted just as it is woken wakes no other.
                self._changed.wait(min(left, _GLANCE))
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
    """``with`` it, a connection: the driver's for the hot statements, and SQLAlchemy's around it.

    :param until: a time of the monotonic clock, by which all waits end.
    :raises StoreUnavailable: PostgreSQL does not answer in time, or cannot do what it was asked.
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
                # A server that has no room for one more still answers those in use: wait for the next to be free.
                if not pool.in_use and returned is pool.returned:
                    raise unavailable(error) from None
                returned = pool.returned
        pool.in_use.add(self)
        self.driver = driver_of(self._proxy)
        self.driver.deadline = self._until

    def _put_back(self) -> None:
        """Return the connection to the pool, or close it where it cannot be used again."""
        pool = self._pool
        try:
            pool.in_use.discard(self)
            # It is not valid where SQLAlchemy found out by itself that it was lost.
            if self._proxy is not None and self._proxy.is_valid:
                driver = driver_of(self._proxy)
                driver.roll_back()
                if driver.is_unanswered():
                    # The others lead to the same server. To find that out one by one would take a timeout each.
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
    """Let SQLAlchemy open another connection in the place of one that ended, or was lost in the middle of something."""
    assert isinstance(driver, Driver)
    if driver.is_stale():
        raise DisconnectionError
