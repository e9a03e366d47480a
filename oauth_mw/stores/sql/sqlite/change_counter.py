"""The counter file beside an SQLite database: a number mapped into every process, the write lock, and the nonce.

The lock is a POSIX record lock. It belongs to a process, so a forked child cannot keep it, and only a process that may
write the file can take it.

The nonce shows that a database was opened under another name, or replaced by a backup. It is in the counter file beside
each name of the database, and in the database. When these two differ, an open writes a new number into both. Then the
counter beside the other name differs, and the processes that use that name stop. In the database, the nonce has a page
of its own that is written into the main file at once: each name has its own ``-wal`` file, so processes of two names
share only the main file.
"""

from __future__ import annotations

import errno
import mmap
import operator
import os
import secrets
import sqlite3
import stat
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ....errors import NotSent, StoreUnavailable
from ....model import MAX_NUMBER
from ...decoding import number, read
from .files import Identity, identity_of, why_planted

try:
    import fcntl
except ImportError:  # Windows
    queueing = False
else:
    queueing = True

SUFFIX = "-oauth_mw"
_SIZE = 4096
_PUBLISH_SECONDS = 1.0
_MAKE_NONCE = "CREATE TABLE IF NOT EXISTS oauth_mw_nonce (one INTEGER PRIMARY KEY, nonce INTEGER NOT NULL)"
_READ_NONCE = "SELECT nonce FROM oauth_mw_nonce WHERE one = 1"
_WRITE_NONCE = "INSERT OR REPLACE INTO oauth_mw_nonce VALUES (1, ?)"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # file systems without hard links


def not_locked(timeout: float) -> NotSent:
    return NotSent(f"the SQLite write lock was not acquired within {timeout:g} s: another process holds it")


class CounterFile:
    """The counter file of the database at ``database``; it is created when it is missing.

    :param timeout: of one operation in seconds, for messages.
    :raises OSError: it cannot be created, or not be opened for reading and writing.
    :raises StoreUnavailable: it may not be used, or another process does not finish creating it.
    """

    def __init__(self, database: str, timeout: float) -> None:
        self._timeout = timeout
        self.path = database + SUFFIX
        if not os.path.lexists(self.path):
            _make(self.path, database)
        self._mapped = _mapped(self.path, database)
        self._cell = memoryview(self._mapped).cast("Q")
        self._attempt = partial(fcntl.lockf, self._mapped.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.read: Callable[[], object] = partial(operator.getitem, self._cell, 0)

    def is_there(self) -> bool:
        try:
            return identity_of(os.lstat(self.path)) == self._mapped.identity
        except OSError:
            return False

    def bump(self) -> None:
        """Make every process read the log. The number is random, so that no two changes cancel each other out."""
        self._cell[0] = secrets.randbits(64)

    @property
    def nonce(self) -> int:
        """The number that must also be in the database, see above; 0 if it is missing or invalid."""
        found: int = self._cell[1]
        return found if found < MAX_NUMBER else 0

    @nonce.setter
    def nonce(self, value: int) -> None:
        self._cell[1] = value

    def lock(self, deadline: float) -> None:
        """Acquire the write lock of all processes.

        :param deadline: on the monotonic clock.
        :raises StoreUnavailable: the lock was not acquired in time.
        """
        threads = self._mapped.threads
        # Record locks of one process do not exclude each other.
        if not threads.acquire(False) and not threads.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise not_locked(self._timeout)
        try:
            _lock(self._attempt, deadline, self._timeout)
        except BaseException:
            threads.release()
            raise

    def unlock(self) -> None:
        try:
            fcntl.lockf(self._mapped.fd, fcntl.LOCK_UN)
        finally:
            self._mapped.threads.release()


def has_counter(database: str) -> bool:
    """Whether a counter file shows that this user has used the database at this path before."""
    try:
        found = os.lstat(os.path.realpath(database) + SUFFIX)
    except OSError:
        return False
    return queueing and stat.S_ISREG(found.st_mode) and os.geteuid() in (0, found.st_uid)


class _Mapped(mmap.mmap):
    """A counter file that this process has open.

    There is only one object for each file, since closing any descriptor of it drops all of the process's locks on it.
    """

    fd: int
    identity: Identity
    pid: int
    threads: threading.Lock


_all_mapped: weakref.WeakValueDictionary[tuple[int, Identity], _Mapped] = weakref.WeakValueDictionary()
_inherited: set[_Mapped] = set()  # never closed, which would drop this process's own locks, too


def _mapped(path: str, database: str) -> _Mapped:
    named = os.lstat(path)
    mapped = _all_mapped.get((os.getpid(), identity_of(named)))
    if mapped is not None:
        return mapped
    others = [found() for found in _all_mapped.valuerefs()]
    _inherited.update(each for each in others if each is not None and each.pid != os.getpid())
    if named.st_nlink > 1:
        _remove_drafts(path, identity_of(named))
        named = os.lstat(path)
    # The owner of the folder can give this name to any file. If other users may write the database, any of them may
    # have created its counter.
    wrong = why_planted(named, os.stat(database), others=os.geteuid() != 0)
    if wrong or named.st_size < _SIZE:
        raise StoreUnavailable(f"{path} {wrong or 'is too short'}: remove it, and a new one is created")
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if identity_of(os.fstat(fd)) != identity_of(named):
            raise StoreUnavailable(f"{path} was exchanged while it was opened")
        mode = _writers_only(named.st_mode)
        if stat.S_IMODE(named.st_mode) != mode and os.geteuid() in (0, named.st_uid):
            os.fchmod(fd, mode)
        mapped = _Mapped(fd, _SIZE)
    except BaseException:
        os.close(fd)
        raise
    weakref.finalize(mapped, os.close, fd)
    mapped.fd, mapped.identity, mapped.pid, mapped.threads = fd, identity_of(named), os.getpid(), threading.Lock()
    _all_mapped[mapped.pid, mapped.identity] = mapped
    return mapped


def _writers_only(mode: int) -> int:
    """The mode without the rights of users that may only read: they could keep the lock from all writers."""
    return mode & 0o222 | (mode & 0o222) << 1


# A writer holds the lock for some 30 microseconds, and any sleep takes three times that.
YIELDS = 20


def _lock(attempt: Callable[[], None], deadline: float, timeout: float) -> None:
    """Try to lock again and again: no call waits for a limited time, and the holder may be a stopped process.

    :raises StoreUnavailable: another process has held the lock until the deadline, or the file cannot be locked.
    """
    pause, yields = 0.0001, YIELDS
    while True:
        try:
            return attempt()
        except (BlockingIOError, PermissionError):  # POSIX leaves the choice
            if time.monotonic() + pause > deadline:
                raise not_locked(timeout) from None
        except OSError as error:
            raise NotSent(f"the SQLite write lock cannot be taken: {error.strerror}") from None
        if yields:
            os.sched_yield()
            yields -= 1
        else:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)


def _make(path: str, database: str) -> None:
    """Complete the file under another name first: a mapped file that is too short ends the process by SIGBUS."""
    model = os.stat(database)
    draft = f"{path}.{os.getpid()}.{time.time_ns()}"
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        # A random value, so that no process mistakes this file for an earlier one of the same name.
        if os.write(fd, secrets.token_bytes(8).ljust(_SIZE, b"\0")) < _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if os.geteuid() == 0:
            with suppress(PermissionError):  # of the owner, see as_owner, where the group is not the folder's
                os.fchown(fd, model.st_uid, model.st_gid)
        os.fchmod(fd, _writers_only(model.st_mode))
        os.fsync(fd)
        _publish(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _remove_drafts(path: str, counter: Identity) -> None:
    """Remove the draft name of a counter file whose maker was killed, or has not removed it yet."""
    folder, name = os.path.split(path)
    for each in os.listdir(folder):
        draft = os.path.join(folder, each)
        with suppress(FileNotFoundError):
            if each.startswith(f"{name}.") and identity_of(os.lstat(draft)) == counter:
                os.unlink(draft)


def _publish(draft: str, path: str) -> None:
    """Give the draft its final name, unless another process has created that file meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A rename would replace another process's file, so only one process at a time checks and renames.
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            attempt = partial(fcntl.flock, folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _lock(attempt, time.monotonic() + _PUBLISH_SECONDS, _PUBLISH_SECONDS)
            if not os.path.exists(path):
                os.rename(draft, path)
        finally:
            os.close(folder)


def read_nonce(driver: Any) -> int:
    """Read the number from the database; 0 if there is none.

    :raises sqlite3.Error: it cannot be read.
    :raises StoreUnavailable: it is garbled.
    """
    # The page may have changed in the main file without a trace in our -wal file, so no cached page will do.
    driver.execute("PRAGMA shrink_memory")
    try:
        row = driver.execute(_READ_NONCE).fetchone()
    except sqlite3.OperationalError as error:
        # An error of decoding has no code.
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            raise
        return 0  # no such table: an older version created the store
    return read("the number in oauth_mw_nonce", number, row[0]) if row else 0


def renew_nonce(driver: Any, counter: CounterFile) -> None:
    """Write a new number into the database and the counter file, if theirs differ. The caller holds the write lock.

    Later numbers are larger: a smaller one is that of a restored backup.

    :raises sqlite3.Error: it cannot be written; then nothing has changed.
    """
    driver.execute("BEGIN IMMEDIATE")
    before = counter.nonce
    try:
        found = read_nonce(driver)
        if not found or found != before:
            driver.execute(_MAKE_NONCE)
            nonce = max(found, before) + 1 + secrets.randbits(40)
            driver.execute(_WRITE_NONCE, (nonce,))
            # Before the commit: if the process is killed between the two, the next contact mends it.
            counter.nonce = nonce
        driver.execute("COMMIT")
    except BaseException:
        counter.nonce = before
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    driver.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
