"""The thread of each process that polls the revocation log, so that requests need not wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from weakref import WeakMethod

from ..protocols import Waiter
from ..threads import begin

MIN_INTERVAL_SECONDS = 0.02  # between two polls, however many revocations wake the thread
AFTER_ERROR_SECONDS = 0.25


class LogFollower:
    """Calls ``poll`` again and again, as long as its owner is used elsewhere.

    A thread does not survive a fork, so the owner calls :meth:`start` at each poll of its own, one call at a time.
    Where no thread can be started, requests poll by themselves.

    :param poll: a method, held weakly, that returns the seconds until its next call.
    :param waiter: opens the waiter that wakes the thread earlier, if the store has one.
    """

    def __init__(self, poll: Callable[[], float], waiter: Callable[[], Waiter | None]) -> None:
        self._poll = WeakMethod(poll)
        self._waiter = waiter
        self._started: tuple[int, Thread | None] = 0, None

    @property
    def thread(self) -> Thread | None:
        """The thread of this process; ``None`` before its first start."""
        process, thread = self._started
        return thread if process == os.getpid() else None

    def start(self) -> None:
        """Start this process's thread, unless it runs."""
        if self.thread is None or not self.thread.is_alive():
            with suppress(RuntimeError):
                thread = begin(_run, self._poll, self._waiter, name="oauth_mw follows the log")
                self._started = os.getpid(), thread


def _run(weak_poll: WeakMethod[Callable[[], float]], open_waiter: Callable[[], Waiter | None]) -> None:
    waiter = open_waiter()
    try:
        while True:
            poll = weak_poll()
            if poll is None:
                return
            try:
                pause = poll()
            except Exception:  # the next request meets the same error, and reports it
                pause = AFTER_ERROR_SECONDS
            del poll
            rest = pause if waiter is None else min(pause, MIN_INTERVAL_SECONDS)
            time.sleep(rest)
            if waiter is not None:
                waiter.wait(pause - rest)
    finally:
        if waiter is not None:
            waiter.close()
