"""What one process holds open of an SQLite store: connections, the counter file, and its turn to write."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from types import TracebackType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ..errors import StoreUnavailable
from .counter import CounterFile, queueing
from .files import identity

# Connections that a fork brought along: closing one would drop the parent's locks.
inherited: list[object] = []

_open: weakref.WeakSet[Held] = weakref.WeakSet()
_resting: list[Held] = []


FORK_SECONDS = 1.0


class Link(NamedTuple):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Any


class Held:
    """What must not cross a fork, and all that belongs to one pair of files.

    The connections lie in a free list: a pool's checkout would cost more than the statements.

    :raises OSError: the files cannot be opened.
    """

    def __init__(self, path: str, engine: Engine) -> None:
        self.pid = os.getpid()
        # SQLite too follows a link before it names its own files.
        self.counter = CounterFile(os.path.realpath(path)) if queueing else None
        self.closed = False
        self._path = path
        self._database = identity(path)
        self._engine = engine
        self._free: list[Link] = []
        self._writer = threading.Lock()
        self._watching = threading.Lock()
        self._watch: list[Link] = []
        weakref.finalize(self, _close, self.pid, self._free, self._watch).atexit = False
        _open.add(self)

    def take(self) -> Link:
        """
        :raises StoreUnavailable: SQLite does not answer.
        """
        try:
            return self._free.pop()
        except IndexError:
            pass
        try:
            return linked(self._engine.connect())
        except (sqlite3.Error, DBAPIError) as error:
            raise unavailable(error) from None

    def put_back(self, link: Link, error: BaseException | None) -> None:
        """
        :raises StoreUnavailable: ``error`` was SQLite's.
        """
        if error is not None and isinstance(error, sqlite3.Error | DBAPIError):
            link.core.invalidate()
            link.core.close()
            raise unavailable(error) from None
        if self.closed:
            link.core.close()
        else:
            self._free.append(link)

    def begin_turn(self, deadline: float, *, ends_tokens: bool = True) -> None:
        """One writer at a time: within the process by a lock, between processes by the queue.

        Who ends no tokens does not raise the counter, so only the database must still be the same.

        :raises StoreUnavailable: the turn did not come, or the files were exchanged meanwhile.
        """
        if not self._writer.acquire(False) and not self._writer.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise StoreUnavailable("no writer's turn in time")
        try:
            if self.counter:
                self.counter.lock(deadline)
            if not (self.is_current() if ends_tokens else self._is_there()):
                if self.counter:
                    self.counter.unlock()
                raise StoreUnavailable("the store's files were exchanged")
        except BaseException:
            self._writer.release()
            raise

    def end_turn(self) -> None:
        try:
            if self.counter:
                self.counter.unlock()
        finally:
            self._writer.release()

    def is_current(self) -> bool:
        """False, and everything closed, when the files are no longer those that are open."""
        if self._is_there() and (self.counter is None or self.counter.is_there()):
            return True
        self.close()
        return False

    def _is_there(self) -> bool:
        try:
            if identity(self._path) == self._database:
                return True
        except OSError:
            pass
        self.close()
        return False

    def data_version(self) -> object:
        """Where there is no counter: what changes with every commit of another connection.

        The watching connection never writes, so it sees those of this process too.
        """
        try:
            with self._watching:
                if not self._watch:
                    self._watch.append(self.take())
                return id(self), self._watch[0].driver.execute("PRAGMA data_version").fetchone()[0]
        except (StoreUnavailable, sqlite3.Error):
            return object()  # equal to nothing: whoever compares will look, and meet the error there

    def rest(self) -> bool:
        """Close what is idle and let nobody begin to write; false when a writer did not come to an end."""
        quiet = self._writer.acquire(timeout=FORK_SECONDS)
        with self._watching:
            _close(self.pid, self._free, self._watch)
        return quiet

    def wake(self) -> None:
        """End the rest."""
        self._writer.release()

    def close(self) -> None:
        self.closed = True
        with self._watching:
            _close(self.pid, self._free, self._watch)


class Reading:
    """``with`` a held connection, for autocommit statements that only read.

    A class, because a generator would cost as much as the statement.

    :raises StoreUnavailable: SQLite does not answer.
    """

    __slots__ = ("_link", "_held")

    def __init__(self, held: Held) -> None:
        self._held = held

    def __enter__(self) -> Link:
        self._link = self._held.take()
        return self._link

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.put_back(self._link, error)


class Writing:
    """``with`` a held connection and the writers' turn, for one autocommit statement (``synchronous=NORMAL``).

    :param timeout: seconds for the queue and SQLite's own waiting together.
    :param ends_tokens: the counter will be raised.
    :raises StoreUnavailable: no turn in time, the files were exchanged, or SQLite does not answer.
    """

    __slots__ = ("_link", "_ends_tokens", "_held", "_late", "_timeout")

    def __init__(self, held: Held, timeout: float, *, ends_tokens: bool = False) -> None:
        self._held = held
        self._ends_tokens = ends_tokens
        self._timeout = timeout

    def __enter__(self) -> Link:
        deadline = time.monotonic() + self._timeout
        self._held.begin_turn(deadline, ends_tokens=self._ends_tokens)
        try:
            self._link = self._held.take()
            left = deadline - time.monotonic()
            self._late = left < self._timeout * 0.9
            if self._late:
                self._wait_at_most(left)
            return self._link
        except BaseException:
            self._held.end_turn()
            raise

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._late:
                try:
                    self._wait_at_most(self._timeout)
                except sqlite3.Error as broken:
                    error = error or broken
            self._held.put_back(self._link, error)
        finally:
            self._held.end_turn()

    def _wait_at_most(self, seconds: float) -> None:
        self._link.driver.execute(f"PRAGMA busy_timeout={max(int(seconds * 1000), 1)}")


def _close(pid: int, *lists: list[Link]) -> None:
    if pid == os.getpid():
        for connections in lists:
            while connections:
                connections.pop().core.close()


def linked(connection: Connection) -> Link:
    return Link(connection, connection.connection.driver_connection)


def unavailable(error: Exception) -> StoreUnavailable:
    """In SQLite's own words: SQLAlchemy's would hold the statement and its parameters."""
    return StoreUnavailable(f"SQLite: {error.orig if isinstance(error, DBAPIError) else error}")


def _before_fork() -> None:
    # SQLite keeps its books on locks by process: a child with an inherited file takes its parent's for its own.
    _resting.extend(held for held in list(_open) if held.pid == os.getpid() and held.rest())


def _after_fork() -> None:
    while _resting:
        _resting.pop().wake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
