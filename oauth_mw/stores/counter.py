"""The counter file beside an SQLite database: one number mapped into every process, and the writers' queue."""

from __future__ import annotations

import errno
import mmap
import operator
import os
import stat
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ..errors import StoreUnavailable
from .files import identity

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


class CounterFile:
    """The counter of the database at ``database``; made when it is missing.

    :raises OSError: it cannot be made, or not be opened for reading and writing.
    :raises StoreUnavailable: another process seems to be making it, and does not get done.
    """

    def __init__(self, database: str) -> None:
        self.path = database + SUFFIX
        if not os.path.exists(self.path):
            _make(self.path, database)
        self._fd = os.open(self.path, os.O_RDWR)
        weakref.finalize(self, os.close, self._fd)  # a writer of another thread may still hold this object
        found = os.fstat(self._fd)
        if found.st_size < _SIZE:
            raise OSError(errno.EINVAL, f"{self.path} is too short: remove it, it is made anew")
        self._identity = found.st_dev, found.st_ino
        self._cell = memoryview(mmap.mmap(self._fd, _SIZE)).cast("Q")
        self.read: Callable[[], object] = partial(operator.getitem, self._cell, 0)

    def is_there(self) -> bool:
        try:
            return identity(self.path) == self._identity
        except OSError:
            return False

    def bump(self) -> None:
        """Tell all processes. Only within :meth:`lock`."""
        self._cell[0] += 1

    def lock(self, deadline: float) -> None:
        """Wait for this process's turn to write.

        The wait is a series of tries, because the holder may be a stopped process.

        :param deadline: on the monotonic clock.
        :raises StoreUnavailable: the turn did not come.
        """
        _lock(self._fd, deadline)

    def unlock(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)


# A turn takes some 30 microseconds, and any sleep three times that.
YIELDS = 20


def _lock(fd: int, deadline: float) -> None:
    """
    :raises StoreUnavailable: another process had it until the deadline, or it cannot be locked.
    """
    pause, yields = 0.0001, YIELDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() + pause > deadline:
                raise StoreUnavailable("no writer's turn in time") from None
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
        if os.write(fd, time.time_ns().to_bytes(8, "little").ljust(_SIZE, b"\0")) < _SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if os.geteuid() == 0:
            os.fchown(fd, model.st_uid, model.st_gid)
        os.fchmod(fd, stat.S_IMODE(model.st_mode))
        os.fsync(fd)
        _publish(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
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
            _lock(folder, time.monotonic() + _PUBLISH_SECONDS)
            if not os.path.exists(path):
                os.rename(draft, path)
        finally:
            os.close(folder)
