"""One connection of an SQLite store for one statement, by a deadline."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Any

from .connections import ConnectionSet
from .fork import Link

FULL_WAIT = 0.9  # of the timeout; when less of it is left, SQLite must wait for a shorter time than usual


class ReadSession:
    """A connection for autocommit statements that only read.

    It is a class, because a generator would cost as much as the statement.

    :param until: the deadline of all waiting, on the monotonic clock.
    :raises StoreUnavailable: SQLite does not answer.
    """

    __slots__ = ("_until", "_connections", "_late", "_link")

    def __init__(self, connections: ConnectionSet, until: float) -> None:
        self._connections = connections
        self._until = until

    def __enter__(self) -> Link:
        connections = self._connections
        link = self._link = connections.take(self._until)
        left = self._until - monotonic()
        self._late = left < connections.timeout * FULL_WAIT
        if self._late:
            try:
                link.wait_at_most(left)
            except sqlite3.Error as error:
                connections.put_back(link, error)
        return link

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._late:
            try:
                self._link.wait_at_most(self._connections.timeout)
            except sqlite3.Error as broken:
                error = error or broken
        if error is None:
            self._connections.keep(self._link)
        else:
            self._connections.put_back(self._link, error)


def read_row(connections: ConnectionSet, until: float, statement: str, values: Sequence[object]) -> Any:
    """The first row of a statement, or ``None``.

    What a :class:`ReadSession` does, in one function: in a worker that has other things to do, the calls of a session
    take longer than the statement.
    """
    if until - monotonic() < connections.timeout * FULL_WAIT:
        with ReadSession(connections, until) as link:
            return link.driver.execute(statement, values).fetchone()
    link = connections.take(until)
    try:
        row = link.cursor.execute(statement, values).fetchone()
    except BaseException as error:
        connections.put_back(link, error)
        raise
    connections.keep(link)
    return row


def write_row(connections: ConnectionSet, until: float, statement: str, values: Sequence[object]) -> None:
    """Execute one autocommit statement that writes: what a :class:`WriteSession` does, at the cost of fewer calls."""
    connections.lock(until, all_files=False)
    try:
        read_row(connections, until, statement, values)
    finally:
        connections.unlock()


class WriteSession(ReadSession):
    """A connection that holds the write lock, for one autocommit statement (``synchronous=NORMAL``).

    :param until: the deadline of all waiting, on the monotonic clock.
    :param all_files: see :meth:`ConnectionSet.lock`.
    :raises StoreUnavailable: the lock was not acquired in time, the files were exchanged, or SQLite does not answer.
    """

    __slots__ = ("_all_files",)

    def __init__(self, connections: ConnectionSet, until: float, *, all_files: bool = False) -> None:
        self._connections = connections
        self._until = until
        self._all_files = all_files

    def __enter__(self) -> Link:
        self._connections.lock(self._until, all_files=self._all_files)
        try:
            return ReadSession.__enter__(self)
        except BaseException:
            self._connections.unlock()
            raise

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            ReadSession.__exit__(self, kind, error, trace)
        finally:
            self._connections.unlock()
