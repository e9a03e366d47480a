"""A thread of each process that does in advance what a request would otherwise wait for."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from ..threads import begin


class LookingAhead:
    """Calls ``look`` again and again, as long as its owner lives.

    A thread does not survive a fork, so whoever has to look himself calls :meth:`start`, one at a
    time. Where no thread may run he goes on to look himself, and nothing is lost.

    :param look: a method; it gives the seconds until its next turn. It is held weakly.
    """

    def __init__(self, look: Callable[[], float]) -> None:
        self._look = weakref.WeakMethod(look)
        self._threads: dict[int, Thread] = {}

    def start(self) -> None:
        """Start this process's thread, unless it runs."""
        thread = self._threads.get(os.getpid())
        if thread is None or not thread.is_alive():
            with suppress(RuntimeError):
                self._threads[os.getpid()] = begin(_run, self._look, name="oauth_mw follows the log")


def _run(method: weakref.WeakMethod[Callable[[], float]]) -> None:
    while True:
        look = method()
        if look is None:
            return
        pause = look()
        del look
        time.sleep(pause)
