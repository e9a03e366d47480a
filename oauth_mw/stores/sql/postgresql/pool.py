"""Connections over a network: a free list for each process, and nobody who waits longer than he may.

A connection is dialled in a thread of its own. Who needs one waits for the first that comes free,
dialled or given back, until his deadline; one that was dialled too late for him serves the next.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ....errors import StoreUnavailable
from ....threads import begin


class Pooled(Protocol):
    def is_stale(self) -> bool:
        """True when the other side has closed it, as far as can be told without asking."""

    def is_idle(self) -> bool:
        """False in the middle of something, or when it is broken."""

    def is_unanswered(self) -> bool:
        """True when it was asked something, and the answer has not come."""

    def close(self) -> None:
        """Nothing but the end of the process may come out of it."""


LATE = "no connection to the store in time"

T = TypeVar("T", bound=Pooled)


class Pool(Generic[T]):
    """What one process holds; after a fork the child makes its own.

    :param dial: opens a connection, or raises :class:`StoreUnavailable`.
    :param limit: how many there are at most.
    """

    def __init__(self, dial: Callable[[], T], limit: int) -> None:
        self.pid = os.getpid()
        # Looked up here: a server may put gevent's locks in their place after it imported this, and then forks.
        self.turn = threading.Lock()  # for what only one of them may do at a time
        self._dial = dial
        self._limit = limit
        # Held weakly: one that an interrupted thread or greenlet has lost counts no longer.
        self._made: weakref.WeakSet[T] = weakref.WeakSet()
        self._free: list[T] = []
        self._dialling = 0
        self._waiting = 0
        self._begun = 0  # dials, counted
        self._failed = 0  # the last begun of those that failed
        self._failure = StoreUnavailable("")
        self._closed = False
        # A signal's exception cannot come between taking a plain lock and the block that gives it back.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def take(self, deadline: float) -> T:
        """
        :raises StoreUnavailable: none came until ``deadline`` (of the monotonic clock).
        """
        # Who cannot wait for an answer would only lose the connection over his question.
        if deadline <= time.monotonic():
            raise StoreUnavailable(LATE)
        with self._lock:
            # What was begun before he came says nothing about how it is now.
            begun = self._begun
            self._waiting += 1
            try:
                while (found := self._fresh()) is None:
                    self._dial_unless(self._failed > begun)
                    if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                        raise StoreUnavailable(LATE)
                return found
            finally:
                self._waiting -= 1

    def put_back(self, used: T) -> None:
        with self._lock:
            if used.is_idle() and not self._closed:
                self._free.append(used)
            else:
                # The others lead to the same server. To find that out one by one would take a timeout each.
                if used.is_unanswered():
                    self._drop_free()
                self._drop(used)
            self._changed.notify_all()

    def close(self) -> None:
        """Close what is free now, and the rest when it comes back."""
        with self._lock:
            self._closed = True
            self._drop_free()

    def _fresh(self) -> T | None:
        while self._free:
            found = self._free.pop()
            if not found.is_stale():
                return found
            self._drop(found)
        return None

    def _drop_free(self) -> None:
        while self._free:
            self._drop(self._free.pop())

    def _drop(self, gone: T) -> None:
        self._made.discard(gone)
        gone.close()

    def _dial_unless(self, failed: bool) -> None:
        """
        :param failed: somebody has tried in vain, since the one who asks for a connection came.
        :raises StoreUnavailable: there is nothing to wait for.
        """
        count = len(self._made) + self._dialling
        # While others are in use, one of them may yet come back.
        if failed and not count:
            raise type(self._failure)(self._failure.reason)
        if not failed and self._dialling < self._waiting and count < self._limit:
            self._dialling += 1
            self._begun += 1
            try:
                begin(self._run, self._begun, name="oauth_mw dials")
            except BaseException as error:
                self._dialling -= 1
                if isinstance(error, RuntimeError):
                    raise StoreUnavailable(f"no connection to the store: {error}") from None
                raise

    def _run(self, number: int) -> None:
        made, failure = None, StoreUnavailable("the store was closed")
        try:
            made = self._dial()
        except StoreUnavailable as error:
            failure = error
        except BaseException as error:  # a thread has nobody above it to tell
            failure = StoreUnavailable(f"no connection to the store: {type(error).__name__}")
        with self._lock:
            self._dialling -= 1
            if made is not None and self._closed:
                made.close()
                made = None
            if made is None:
                self._failed = max(self._failed, number)
                self._failure = failure
            else:
                self._made.add(made)
                self._free.append(made)
            self._changed.notify_all()
