"""Connections over a network: a free list for each process, and nobody who waits longer than he may.

A connection is dialled in a thread of its own. Who needs one waits for the first that comes free,
dialled or given back, until his deadline; one that was dialled too late for him serves the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, Protocol, TypeVar

from ..errors import StoreUnavailable


class Pooled(Protocol):
    def is_stale(self) -> bool:
        """True when the other side has closed it, as far as can be told without asking."""

    def is_idle(self) -> bool:
        """False in the middle of something, or when it is broken."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Pooled)


class Pool(Generic[T]):
    """What one process holds; after a fork the child makes its own.

    :param dial: opens a connection, or raises :class:`StoreUnavailable`.
    :param limit: how many there are at most.
    """

    def __init__(self, dial: Callable[[], T], limit: int) -> None:
        self.pid = os.getpid()
        self._dial = dial
        self._limit = limit
        self._free: list[T] = []
        self._open = 0  # free, in use, or being dialled
        self._dialling = 0
        self._waiting = 0
        self._failures = 0
        self._failure = ""
        self._closed = False
        self._changed = Condition()

    def take(self, deadline: float) -> T:
        """
        :raises StoreUnavailable: none came until ``deadline`` (of the monotonic clock).
        """
        with self._changed:
            failures = self._failures
            self._waiting += 1
            try:
                while True:
                    while self._free:
                        found = self._free.pop()
                        if not found.is_stale():
                            return found
                        self._drop(found)
                    failed = self._failures != failures
                    # While others are in use, one of them may yet come back.
                    if failed and not self._open:
                        raise StoreUnavailable(self._failure)
                    if not failed and self._dialling < self._waiting and self._open < self._limit:
                        self._start()
                    if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                        raise StoreUnavailable("no connection to the store in time")
            finally:
                self._waiting -= 1

    def put_back(self, used: T) -> None:
        with self._changed:
            if self._closed or not used.is_idle():
                self._drop(used)
            else:
                self._free.append(used)
            self._changed.notify_all()

    def close(self) -> None:
        """Close what is free now, and the rest when it comes back."""
        with self._changed:
            self._closed = True
            while self._free:
                self._drop(self._free.pop())

    def _drop(self, gone: T) -> None:
        self._open -= 1
        gone.close()

    def _start(self) -> None:
        self._open += 1
        self._dialling += 1
        try:
            Thread(target=self._run, name="oauth_mw dials", daemon=True).start()
        except RuntimeError as error:
            self._open -= 1
            self._dialling -= 1
            raise StoreUnavailable(f"no connection to the store: {error}") from None

    def _run(self) -> None:
        made, failure = None, ""
        try:
            made = self._dial()
        except StoreUnavailable as error:
            failure = error.reason
        except Exception as error:  # a thread has nobody above it to tell
            failure = f"no connection to the store: {type(error).__name__}"
        with self._changed:
            self._dialling -= 1
            if made is None:
                self._open -= 1
                self._failures += 1
                self._failure = failure
            elif self._closed:
                self._drop(made)
            else:
                self._free.append(made)
            self._changed.notify_all()
