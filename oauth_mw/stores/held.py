"""What one process holds open of an SQLite store: connections, the counter file, and its turn to write."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ..errors import StoreUnavailable
from .counter import CounterFile, queueing
from .files import identity

# Connections that a fork brought along: closing one would drop the parent's locks.
inherited: list[object] = []


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
        self._free: list[Connection] = []
        self._writer = threading.Lock()
        self._watching = threading.Lock()
        self._watch: list[Connection] = []
        weakref.finalize(self, _close, self.pid, self._free, self._watch).atexit = False

    def take(self) -> Connection:
        """
        :raises StoreUnavailable: SQLite does not answer.
        """
        try:
            return self._free.pop()
        except IndexError:
            pass
        try:
            return self._engine.connect()
        except (sqlite3.Error, DBAPIError) as error:
            raise unavailable(error) from None

    def put_back(self, connection: Connection) -> None:
        if self.closed:
            connection.close()
        else:
            self._free.append(connection)

    def begin_turn(self, deadline: float, *, ends_tokens: bool = True) -> None:
        """One writer at a time: within the process by a lock, between processes by the queue.

        Who ends no tokens does not raise the counter, so only the database must still be the same.

        :raises StoreUnavailable: the turn did not come, or the files were exchanged meanwhile.
        """
        if not self._writer.acquire(timeout=max(deadline - time.monotonic(), 0)):
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
                return id(self), driver_of(self._watch[0]).execute("PRAGMA data_version").fetchone()[0]
        except (StoreUnavailable, sqlite3.Error):
            return object()  # equal to nothing: whoever compares will look, and meet the error there

    def close(self) -> None:
        self.closed = True
        with self._watching:
            _close(self.pid, self._free, self._watch)


class Reading:
    """``with`` a held connection, for autocommit statements that only read.

    A class, because a generator would cost as much as the statement.

    :raises StoreUnavailable: SQLite does not answer.
    """

    __slots__ = ("_connection", "_held")

    def __init__(self, held: Held) -> None:
        self._held = held

    def __enter__(self) -> Connection:
        self._connection = self._held.take()
        return self._connection

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, sqlite3.Error | DBAPIError):
            self._connection.invalidate()
            self._connection.close()
            raise unavailable(error) from None
        self._held.put_back(self._connection)


class Writing:
    """``with`` a held connection and the writers' turn, for one autocommit statement (``synchronous=NORMAL``).

    :param timeout: seconds for the queue and SQLite's own waiting together.
    :param ends_tokens: the counter will be raised.
    :raises StoreUnavailable: no turn in time, the files were exchanged, or SQLite does not answer.
    """

    __slots__ = ("_ends_tokens", "_held", "_late", "_reading", "_timeout")

    def __init__(self, held: Held, timeout: float, *, ends_tokens: bool = False) -> None:
        self._held = held
        self._ends_tokens = ends_tokens
        self._timeout = timeout
        self._reading = Reading(held)
        self._late: Any = None

    def __enter__(self) -> Connection:
        deadline = time.monotonic() + self._timeout
        self._held.begin_turn(deadline, ends_tokens=self._ends_tokens)
        try:
            connection = self._reading.__enter__()
            left = deadline - time.monotonic()
            if left < self._timeout * 0.9:
                self._late = driver_of(connection)
                self._late.execute(f"PRAGMA busy_timeout={max(int(left * 1000), 1)}")
            return connection
        except BaseException:
            self._held.end_turn()
            raise

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._late:
                try:
                    self._late.execute(f"PRAGMA busy_timeout={int(self._timeout * 1000)}")
                except sqlite3.Error as broken:
                    error = error or broken
            self._reading.__exit__(kind, error, trace)
        finally:
            self._held.end_turn()


def _close(pid: int, *lists: list[Connection]) -> None:
    if pid == os.getpid():
        for connections in lists:
            while connections:
                connections.pop().close()


def driver_of(connection: Connection) -> Any:
    return connection.connection.driver_connection


def unavailable(error: Exception) -> StoreUnavailable:
    """In SQLite's own words: SQLAlchemy's would hold the statement and its parameters."""
    return StoreUnavailable(f"SQLite: {error.orig if isinstance(error, DBAPIError) else error}")
