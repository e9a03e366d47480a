"""The open connections of one process to an SQLite store, its counter file, and the lock that its writers take."""

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
from .change_counter import CounterFile, not_locked, queueing, read_nonce
from .files import Identity, identity_of
from .fork import Link

CHECK_SECONDS = 1.0
FILE = "oauth_mw_file"  # the SQL function that names the files

_NOT_UTF8 = "Could not decode to UTF-8"

# After these errors a connection can be used again; after any other it is closed.
_HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


# Opens a connection by a time on the monotonic clock; raises what SQLite and SQLAlchemy raise, and OSError.
Dial = Callable[[float], Link]


class ConnectionSet:
    """The connections of one process to one set of files. A forked child opens its own.

    Idle connections lie in a free list: a pool's checkout would cost more than the statements.

    :param database: device and inode of the file at ``path`` when it was opened.
    :param timeout: seconds that one operation may wait.
    :param number: how many sets of files this process had open before.
    :ivar exchanged: whether it was closed because other files have taken the place of its own.
    :raises OSError: the counter file cannot be opened.
    """

    def __init__(self, path: str, database: Identity, dial: Dial, timeout: float, number: int) -> None:
        self.pid = os.getpid()
        # SQLite, too, follows a symbolic link before it names its own files.
        real = os.path.realpath(path)
        self.counter = CounterFile(real, timeout) if queueing else None
        self.closed = False
        self.exchanged = False
        self.check_due = 0.0
        self.timeout = timeout
        self._path = path
        self._database = database
        self._compared_mtime = -1
        self._names = (real + "-wal", real + "-shm")
        self._companions: dict[str, Identity] = {}
        self._dial = dial
        # Not a bound method: SQLite keeps what it calls, and that would keep this object.
        self._name_file = partial(_named, f"{database[0]:x}:{database[1]:x}:{number}", self.counter)
        self._free: list[Link] = []
        self._writer = threading.Lock()
        self._watching = threading.Lock()
        self._watch: list[Link] = []
        weakref.finalize(self, _close, self._free, self._watch).atexit = False
        _all_sets[id(self)] = self

    def begin_with(self, link: Link) -> None:
        """Keep the first connection, and remember the files beside the database."""
        # SQLite does not replace its own files beside the database while a connection is open.
        found = {name: _found(name) for name in self._names}
        self._companions = {name: identity_of(file) for name, file in found.items() if file}
        if self.closed:  # for a fork, while this thread was opening it
            self._companions = {}
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
        except (sqlite3.Error, DBAPIError, OSError) as error:
            raise unavailable(error) from None
        link.driver.create_function(FILE, 0, self._name_file)
        return link

    def keep(self, link: Link) -> None:
        """Return a connection after statements that succeeded."""
        if self.closed:
            link.close()
        else:
            self._free.append(link)

    def put_back(self, link: Link, error: BaseException) -> None:
        """Return a connection after an error, whether that is SQLite's or the caller's.

        :raises StoreUnavailable: ``error`` is SQLite's.
        :raises AdminError: ``error`` is about a text that cannot be encoded.
        """
        # InvalidRequestError: a row that must be there is missing.
        if isinstance(error, sqlite3.Error | DBAPIError | InvalidRequestError):
            if _is_harmless(error) and not link.driver.in_transaction:
                self.keep(link)
            else:
                # The other connections may have cached the same pages.
                link.close(broken=True)
                self.close()
            raise unavailable(error) from None
        self.keep(link)
        if isinstance(error, UnicodeEncodeError):
            raise not_text() from None

    def lock(self, until: float, *, all_files: bool = True) -> None:
        """Acquire the write lock, which one writer of all processes holds; without a counter file, one of this process.

        :param all_files: check that all files of the store are still the ones that were opened, because what is written
            must last. Otherwise only the database is checked.
        :raises StoreUnavailable: the lock was not acquired in time, or the files were exchanged meanwhile.
        """
        if self.counter:
            self.counter.lock(until)
        elif not self._writer.acquire(timeout=max(until - time.monotonic(), 0)):
            raise not_locked(self.timeout)
        try:
            if not (self.is_current(until) if all_files else self._is_there(until)):
                raise self.exchanged_error()
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        if self.counter:
            self.counter.unlock()
        else:
            self._writer.release()

    def exchanged_error(self) -> StoreUnavailable:
        """The error of an operation whose files were removed or exchanged."""
        return StoreUnavailable(f"the files of {self._path} were removed or exchanged while they were in use")

    def is_current(self, until: float) -> bool:
        """Check that the files at the path are still the open ones; if not, close everything and return false.

        :raises StoreUnavailable: SQLite does not answer.
        """
        self.check_due = time.monotonic() + CHECK_SECONDS
        self._compared_mtime = -1
        if self._are_companions_there() and self._is_there(until):
            return True
        self._close_exchanged()
        return False

    def _is_there(self, until: float) -> bool:
        found = _found(self._path)
        if found is None or identity_of(found) != self._database:
            self._close_exchanged()
            return False
        # A process that uses another name of the file writes into the main file, which changes its modification time.
        return found.st_mtime_ns == self._compared_mtime or self._has_nonce(found.st_mtime_ns, until)

    def _are_companions_there(self) -> bool:
        # After SQLite's -wal file was removed, the next connection starts another one: each misses the other's writes.
        found = [(_found(name), file) for name, file in self._companions.items()]
        mine = all(now is not None and identity_of(now) == file for now, file in found)
        # Before a fork SQLite may remove them, and none are remembered; that may happen while this runs.
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
            self.keep(link)
            if found != self.counter.nonce:
                self._close_exchanged()
                return False
        self._compared_mtime = changed
        return True

    def _close_exchanged(self) -> None:
        self.exchanged = True
        if self.counter:
            self.counter.bump()  # so that other processes that still use these files look at once
        self.close()

    def data_version(self) -> object:
        """Without a counter file: a value that changes with every commit of another connection.

        The watching connection never writes, so it sees the commits of this process, too. It does not wait for a lock:
        a caller that finds another value reads the log, and waits there.
        """
        try:
            with self._watching:
                if not self._watch:
                    self._watch.append(self._dial(time.monotonic()))
                    self._watch[0].wait_at_most(0)
                return id(self), self._watch[0].driver.execute("PRAGMA data_version").fetchone()[0]
        except (sqlite3.Error, DBAPIError, OSError) as error:
            if not _is_harmless(error):
                self.close()
            return object()  # equal to nothing

    def close_for_fork(self) -> None:
        """Close idle connections, see :mod:`.fork`. Those in use are closed when they are returned."""
        if not self.exchanged:
            self._companions = {}  # SQLite removes these files with its last connection
        self.close()

    def close(self) -> None:
        self.closed = True
        if self.pid == os.getpid():
            with self._watching:
                _close(self._free, self._watch)


_all_sets: weakref.WeakValueDictionary[int, ConnectionSet] = weakref.WeakValueDictionary()


def _before_fork() -> None:
    for found in _all_sets.valuerefs():  # a list, unlike values(): another thread may open a store meanwhile
        connections = found()
        if connections is not None:
            connections.close_for_fork()


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
            except IndexError:  # another thread took the last one
                break
            link.close()


def _is_harmless(error: BaseException) -> bool:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code in _HARMLESS or code & 0xFF in _HARMLESS


def unavailable(error: Exception) -> StoreUnavailable:
    """With SQLite's message alone: SQLAlchemy's has the statement and its parameters, a decoding error's the text."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return StoreUnavailable(f"SQLite: {'a text is not UTF-8' if said.startswith(_NOT_UTF8) else said}")
