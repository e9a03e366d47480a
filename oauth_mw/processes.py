"""Values that each process has of its own, although a fork copies all memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_forks = 0


class PerProcess(Generic[T]):
    """A value that each process makes for itself, such as a lock, which another thread may have held at the fork.

    A process is identified by its id, because servers in C fork without calling Python's hooks, and by the number of
    forks before it, because ids are reused. ``make`` may run more than once, but all threads get the same value.
    """

    __slots__ = ("_make", "_values")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[tuple[int, int], T] = {}

    def get(self) -> T:
        process = os.getpid(), _forks
        try:
            return self._values[process]
        except KeyError:
            for other in list(self._values):
                if other != process:
                    self._values.pop(other, None)
            return self._values.setdefault(process, self._make())

    def find(self) -> T | None:
        """Return the value, if this process has made one."""
        return self._values.get((os.getpid(), _forks))


def _count() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count)
