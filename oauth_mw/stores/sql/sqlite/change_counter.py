"""The counter file beside an SQLite database: one number mapped into every process, and the writers' queue.

The lock is a POSIX record lock: it belongs to the process, so a forked child cannot keep it, and only a
process that may write the file can take it.
"""

from __future__ import annotations

import errno
import mmap
import operator
import os
import secrets
import stat
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ....errors import StoreUnavailable
from ....model import MAX_NUMBER
from .files import Identity, identity_of

try:
    import fcntl
except ImportError:  # Windows
    queueing = False
else:
    queueing = True

SUFFIX = "-oauth_mw"
_SIZE = 4096
_PUBLISH_SECONDS = 1.0
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # file systems without hard links

LATE = "no writer's turn in time"


class CounterFile:
    """The counter of the database at ``database``; made when it is missing.

    :raises OSError: it cannot be made, or not be opened for reading and writing.
    :raises StoreUnavailable: it is not a file of the database's owner, or another process does not finish making it.
    """

    def __init__(self, database: str) -> None:
        self.path = database + SUFFIX
        if not os.path.lexists(self.path):
            _make(self.path, database)
        self._mapped = _mapped(self.path, database)
        self._cell = memoryview(self._mapped).cast("Q")
        self.read: Callable[[], object] = partial(operator.getitem, self._cell, 0)

    def is_there(self) -> bool:
        try:
            return identity_of(os.lstat(self.path)) == self._mapped.identity
        except OSError:
            return False

    def bump(self) -> None:
        """Make every process read the log. A random number, so that no two bumps can cancel each other out."""
        self._cell[0] = secrets.randbits(64)

    @property
    def nonce(self) -> int:
        """What the database must hold too, see :mod:`.nonce`; 0: none yet, or none that was ever written there."""
        found: int = self._cell[1]
        return found if found < MAX_NUMBER else 0

    @nonce.setter
    def nonce(self, value: int) -> None:
        self._cell[1] = value

    def lock(self, deadline: float) -> None:
        """Wait for the lock that makes the writers of all processes queue.

        The wait is a series of tries, because the holder may be a stopped process.

        :param deadline: on the monotonic clock.
        :raises StoreUnavailable: the lock did not become free.
        """
        turn, fd = self._mapped.turn, self._mapped.fd
        # Record locks of one process do not exclude each other.
        if not turn.acquire(False) and not turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise StoreUnavailable(LATE)
        try:
            _lock(partial(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB), deadline)
        except BaseException:
            turn.release()
            raise

    def unlock(self) -> None:
        try:
            fcntl.lockf(self._mapped.fd, fcntl.LOCK_UN)
        finally:
            self._mapped.turn.release()


def has_counter(database: str) -> bool:
    """Whether this user has used the database at this path before, as the counter file beside it shows."""
    try:
        found = os.lstat(os.path.realpath(database) + SUFFIX)
    except OSError:
        return False
    return queueing and stat.S_ISREG(found.st_mode) and os.geteuid() in (0, found.st_uid)


class _Mapped(mmap.mmap):
    """A counter file that this process has open: one object for each file, for as long as anything reads it.

    To close any descriptor of a file would drop all record locks that the process has on it.
    """

    fd: int
    identity: Identity
    pid: int
    turn: threading.Lock


_all_mapped: weakref.WeakValueDictionary[tuple[int, Identity], _Mapped] = weakref.WeakValueDictionary()
_inherited: set[_Mapped] = set()  # kept, because to close them would drop this process's own locks, too


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
    _judge(path, named, os.stat(database))
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
    mapped.fd, mapped.identity, mapped.pid, mapped.turn = fd, identity_of(named), os.getpid(), threading.Lock()
    _all_mapped[mapped.pid, mapped.identity] = mapped
    return mapped


def _judge(path: str, found: os.stat_result, database: os.stat_result) -> None:
    """What is written into must be a counter file: root would write into whatever another user put in its place.

    That user may own the folder, and so rename or hard-link any file to this name.

    :raises StoreUnavailable: it is not one.
    """
    if not stat.S_ISREG(found.st_mode):
        wrong = "is a link or no regular file"
    elif found.st_nlink > 1:
        wrong = "has a second name (a hard link)"
    elif found.st_uid != database.st_uid and (
        # Where others may write the database, any of them may have been the first to need a counter.
        os.geteuid() == 0 or not database.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        wrong = f"belongs to user {found.st_uid}, the database to user {database.st_uid}"
    elif found.st_size < _SIZE:
        wrong = "is too short"
    else:
        return
    raise StoreUnavailable(f"{path} {wrong}: remove it, a new one is made")


def _writers_only(mode: int) -> int:
    """The mode without the rights of those that may only read: by a lock of theirs they could stop all writers."""
    return mode & 0o222 | (mode & 0o222) << 1


# A turn takes some 30 microseconds, and any sleep three times that.
YIELDS = 20


def _lock(attempt: Callable[[], None], deadline: float) -> None:
    """
    :raises StoreUnavailable: another process had it until the deadline, or it cannot be locked.
    """
    pause, yields = 0.0001, YIELDS
    while True:
        try:
            return attempt()
        except (BlockingIOError, PermissionError):  # POSIX leaves the choice
            if time.monotonic() + pause > deadline:
                raise StoreUnavailable(LATE) from None
        except OSError as error:
            raise StoreUnavailable(f"the writers' queue fails: {error.strerror}") from None
        if yields:
            os.sched_yield()
            yields -= 1
        else:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)


def _make(path: str, database: str) -> None:
    """Make the file complete under another name first: a short file under a mapping is SIGBUS."""
    model = os.stat(database)
    draft = f"{path}.{os.getpid()}.{time.time_ns()}"
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        # A value that no earlier file of this name had, so that nobody takes it for the old one.
        if os.write(fd, secrets.token_bytes(8).ljust(_SIZE, b"\0")) < _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if os.geteuid() == 0:
            os.fchown(fd, model.st_uid, model.st_gid)
        os.fchmod(fd, _writers_only(model.st_mode))
        os.fsync(fd)
        _publish(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _remove_drafts(path: str, counter: Identity) -> None:
    """Remove the draft's name of a counter file that has it still: its maker is at that, or was killed before."""
    folder, name = os.path.split(path)
    for each in os.listdir(folder):
        draft = os.path.join(folder, each)
        with suppress(FileNotFoundError):
            if each.startswith(f"{name}.") and identity_of(os.lstat(draft)) == counter:
                os.unlink(draft)


def _publish(draft: str, path: str) -> None:
    """Give the file its name, unless a process that was faster has made one: that one stays."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A rename would replace another's file, so one process at a time looks whether there is one.
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            _lock(partial(fcntl.flock, folder, fcntl.LOCK_EX | fcntl.LOCK_NB), time.monotonic() + _PUBLISH_SECONDS)
            if not os.path.exists(path):
                os.rename(draft, path)
        finally:
            os.close(folder)
