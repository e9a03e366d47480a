"""What one process holds open of an SQLite store."""

from __future__ import annotations

import os
import threading

from sqlalchemy import Connection

from .counter import CounterFile, queueing
from .files import identity

# Connections that a fork brought along: closing one would drop the parent's locks.
inherited: list[object] = []


class Held:
    """What must not cross a fork, and all that belongs to one pair of files."""

    def __init__(self, path: str) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.database = identity(path)
        self.counter = CounterFile(path) if queueing else None
        self.free: list[Connection] = []
        self.watching = threading.Lock()
        self.watch: Connection | None = None

    def files_are_there(self, path: str) -> bool:
        try:
            return identity(path) == self.database and (self.counter is None or self.counter.is_there())
        except OSError:
            return False

    def close(self) -> None:
        while self.free:
            self.free.pop().close()
        if self.watch:
            self.watch.close()
