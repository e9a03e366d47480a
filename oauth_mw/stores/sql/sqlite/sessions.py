"""How long a statement may have one of the connections that are held open of an SQLite store."""

from __future__ import annotations

import sqlite3
from time import monotonic
from types import TracebackType

from .connections import ConnectionSet
from .fork import Link

LATE = 0.9  # of the timeout: with less of it left, SQLite's own waiting must be shorter


class ReadSession:
    """``with`` a held connection, for autocommit statements that only read.

    A class, because a generator would cost as much as the statement.

    :param until: for all waiting together, on the monotonic clock.
    :raises StoreUnavailable: SQLite does not answer.
    """

    __slots__ = ("_until", "_held", "_late", "_link")

    def __init__(self, held: ConnectionSet, until: float) -> None:
        self._held = held
        self._until = until

    def __enter__(self) -> Link:
        held = self._held
        link = self._link = held.take(self._until)
        left = self._until - monotonic()
        self._late = left < held.timeout * LATE
        if self._late:
            try:
                link.wait_at_most(left)
            except sqlite3.Error as error:
                held.put_back(link, error)
        return link

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._late:
            try:
                self._link.wait_at_most(self._held.timeout)
            except sqlite3.Error as broken:
                error = error or broken
        self._held.put_back(self._link, error)


class WriteSession(ReadSession):
    """``with`` a held connection and the writers' turn, for one autocommit statement (``synchronous=NORMAL``).

    :param until: for the queue and SQLite's own waiting together, on the monotonic clock.
    :param all_files: what is written must last, see :meth:`ConnectionSet.begin_turn`.
    :raises StoreUnavailable: no turn in time, the files were exchanged, or SQLite does not answer.
    """

    __slots__ = ("_all_files",)

    def __init__(self, held: ConnectionSet, until: float, *, all_files: bool = False) -> None:
        self._held = held
        self._until = until
        self._all_files = all_files

    def __enter__(self) -> Link:
        self._held.begin_turn(self._until, all_files=self._all_files)
        try:
            return ReadSession.__enter__(self)
        except BaseException:
            self._held.end_turn()
            raise

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            ReadSession.__exit__(self, kind, error, trace)
        finally:
            self._held.end_turn()
