"""A thread of each process that does in advance what a request would otherwise wait for."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from ..protocols import Waiter
from ..threads import begin

REST_SECONDS = 0.02
PAUSE_SECONDS = 0.25  # after a look that failed with what no look should raise


class LogFollower:
    """Calls ``look`` again and again, as long as its owner lives.

    A thread does not survive a fork, so whoever has to look himself calls :meth:`start`, one at a
    time. Where no thread may run he goes on to look himself, and nothing is lost.

    :param look: a method; it gives the seconds until its next turn. It is held weakly.
    :param waiter: makes what wakes the thread before that, if anything does.
    """

    def __init__(self, look: Callable[[], float], waiter: Callable[[], Waiter | None]) -> None:
        self._look = weakref.WeakMethod(look)
        self._waiter = waiter
        self._threads: dict[int, Thread] = {}

    def start(self) -> None:
        """Start this process's thread, unless it runs."""
        thread = self._threads.get(os.getpid())
        if thread is None or not thread.is_alive():
            with suppress(RuntimeError):
                self._threads[os.getpid()] = begin(_run, self._look, self._waiter, name="oauth_mw follows the log")


def _run(method: weakref.WeakMethod[Callable[[], float]], open_waiter: Callable[[], Waiter | None]) -> None:
    waiter = open_waiter()
    try:
        while True:
            look = method()
            if look is None:
                return
            try:
                pause = look()
            except Exception:  # the next request looks by itself, and reports it
                pause = PAUSE_SECONDS
            del look
            # However many events wake it, they are read no more often than this.
            rest = pause if waiter is None else min(pause, REST_SECONDS)
            time.sleep(rest)
            if waiter is not None:
                waiter.wait(pause - rest)
    finally:
        if waiter is not None:
            waiter.close()
