"""What one process holds open of an SQLite store: connections, the counter file, and its turn to write."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import DBAPIError, InvalidRequestError

from ....errors import StoreUnavailable, not_text
from .change_counter import LATE, CounterFile, queueing
from .files import Identity, identity_of
from .fork import Link
from .nonce import read_nonce

LOOK_SECONDS = 1.0
FILE = "oauth_mw_file"  # the function that names the files, in SQL

_NOT_UTF8 = "Could not decode to UTF-8"

# After these a connection is as good as before. After any other error nothing is taken for granted.
_HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


# A new connection, by a time on the monotonic clock; raises what SQLite and SQLAlchemy raise.
Dial = Callable[[float], Link]


class ConnectionSet:
    """What must not cross a fork, and all that belongs to one set of files.

    The connections lie in a free list: a pool's checkout would cost more than the statements.

    :param database: what the file at ``path`` was when it was opened.
    :param timeout: seconds that one operation may wait.
    :param number: of those sets of files that this process had open before.
    :ivar exchanged: closed, because the files are others by now.
    :raises OSError: the counter file cannot be opened.
    """

    def __init__(self, path: str, database: Identity, dial: Dial, timeout: float, number: int) -> None:
        self.pid = os.getpid()
        # SQLite too follows a link before it names its own files.
        real = os.path.realpath(path)
        self.counter = CounterFile(real) if queueing else None
        self.closed = False
        self.exchanged = False
        self.due = 0.0
        self.timeout = timeout
        self._path = path
        self._database = database
        self._compared = -1
        self._names = (real + "-wal", real + "-shm")
        self._companions: dict[str, Identity] = {}
        self._dial = dial
        # By value: SQLite would keep what it calls, and with it this object.
        self._name_file = partial(_named, f"{database[0]:x}:{database[1]:x}:{number}", self.counter)
        self._free: list[Link] = []
        self._writer = threading.Lock()
        self._watching = threading.Lock()
        self._watch: list[Link] = []
        weakref.finalize(self, _close, self._free, self._watch).atexit = False
        _all_held[id(self)] = self

    def begin_with(self, link: Link) -> None:
        """Keep the first connection."""
        # As long as a connection is open, SQLite's own files beside the database stay the same.
        found = {name: _found(name) for name in self._names}
        self._companions = {name: identity_of(file) for name, file in found.items() if file}
        link.driver.create_function(FILE, 0, self._name_file)
        self._free.append(link)

    def take(self, until: float) -> Link:
        """
        :raises StoreUnavailable: SQLite does not answer.
        """
        try:
            return self._free.pop()
        except IndexError:
            pass
        try:
            link = self._dial(until)
        except (sqlite3.Error, DBAPIError) as error:
            raise unavailable(error) from None
        link.driver.create_function(FILE, 0, self._name_file)
        return link

    def put_back(self, link: Link, error: BaseException | None) -> None:
        """
        :raises StoreUnavailable: ``error`` was SQLite's.
        :raises AdminError: it was about a text that is none.
        """
        if isinstance(error, UnicodeEncodeError):
            self.put_back(link, None)
            raise not_text() from None
        # SQLAlchemy's second: a row that must be there is not.
        if error is not None and isinstance(error, sqlite3.Error | DBAPIError | InvalidRequestError):
            if _is_harmless(error) and not link.driver.in_transaction:
                self.put_back(link, None)
            else:
                # The other connections may have read the same pages.
                link.close(broken=True)
                self.close()
            raise unavailable(error) from None
        if self.closed:
            link.close()
        else:
            self._free.append(link)

    def begin_turn(self, until: float, *, all_files: bool = True) -> None:
        """One writer at a time, of all processes; where there is no counter, of this one.

        :param all_files: what is written must last, so nothing of the store may have gone. Otherwise the database alone
            must still be the same.
        :raises StoreUnavailable: the turn did not come, or the files were exchanged meanwhile.
        """
        if self.counter:
            self.counter.lock(until)
        elif not self._writer.acquire(timeout=max(until - time.monotonic(), 0)):
            raise StoreUnavailable(LATE)
        try:
            if not (self.is_current(until) if all_files else self._is_there(until)):
                raise StoreUnavailable("the store's files were exchanged")
        except BaseException:
            self.end_turn()
            raise

    def end_turn(self) -> None:
        if self.counter:
            self.counter.unlock()
        else:
            self._writer.release()

    def is_current(self, until: float) -> bool:
        """False, and everything closed, when the files are no longer those that are open.

        :raises StoreUnavailable: SQLite does not answer.
        """
        self.due = time.monotonic() + LOOK_SECONDS
        self._compared = -1
        if self._are_companions_there() and self._is_there(until):
            return True
        self._leave()
        return False

    def _is_there(self, until: float) -> bool:
        found = _found(self._path)
        if found is None or identity_of(found) != self._database:
            self._leave()
            return False
        # What another name's processes write into the main file changes its time.
        return found.st_mtime_ns == self._compared or self._has_nonce(found.st_mtime_ns, until)

    def _are_companions_there(self) -> bool:
        # After SQLite's log was removed the next connection begins another one, and they write past each other.
        found = [(_found(name), file) for name, file in self._companions.items()]
        mine = all(now is not None and identity_of(now) == file for now, file in found)
        # None are noted once they may go: looked at last, since that may be meanwhile.
        return (mine or not self._companions) and (self.counter is None or self.counter.is_there())

    def _has_nonce(self, changed: int, until: float) -> bool:
        """Whether database and counter still belong together.

        :param changed: when the database was last written to.
        """
        if self.counter is not None:
            link = self.take(until)
            try:
                found = read_nonce(link.driver)
            except BaseException as error:
                self.put_back(link, error)
                raise
            self.put_back(link, None)
            if found != self.counter.nonce:
                self._leave()
                return False
        self._compared = changed
        return True

    def _leave(self) -> None:
        self.exchanged = True
        self.close()

    def data_version(self) -> object:
        """Where there is no counter: what changes with every commit of another connection.

        The watching connection never writes, so it sees those of this process too. It does not wait
        for a lock: whoever is told that something may have changed looks, and waits there.
        """
        try:
            with self._watching:
                if not self._watch:
                    self._watch.append(self._dial(time.monotonic()))
                    self._watch[0].wait_at_most(0)
                return id(self), self._watch[0].driver.execute("PRAGMA data_version").fetchone()[0]
        except (sqlite3.Error, DBAPIError) as error:
            if not _is_harmless(error):
                self.close()
            return object()  # equal to nothing

    def close_for_fork(self) -> None:
        """Close what is idle, see :mod:`.fork`. What is in use is closed when it is returned."""
        if not self.exchanged:
            self._companions = {}  # SQLite removes them with its last connection
        self.close()

    def close(self) -> None:
        self.closed = True
        if self.pid == os.getpid():
            with self._watching:
                _close(self._free, self._watch)


_all_held: weakref.WeakValueDictionary[int, ConnectionSet] = weakref.WeakValueDictionary()


def _before_fork() -> None:
    for found in _all_held.valuerefs():  # a list, unlike values(): other threads may open a store meanwhile
        held = found()
        if held is not None:
            held.close_for_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


def _named(files: str, counter: CounterFile | None) -> str:
    return files if counter is None else f"{files}:{counter.nonce:x}"


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _close(*lists: list[Link]) -> None:
    for links in lists:
        while True:
            try:
                link = links.pop()
            except IndexError:  # others take from it too
                break
            link.close()


def _is_harmless(error: BaseException) -> bool:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code in _HARMLESS or code & 0xFF in _HARMLESS


def unavailable(error: Exception) -> StoreUnavailable:
    """In SQLite's own words: SQLAlchemy's would hold the statement and its parameters, and this one what was read."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return StoreUnavailable(f"SQLite: {'a text is not UTF-8' if said.startswith(_NOT_UTF8) else said}")
