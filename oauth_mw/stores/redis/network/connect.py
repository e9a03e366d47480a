"""Sockets dialled in threads of their own: nothing else ends the look-up of a host's name in time.

Who dials waits until his deadline; a socket that comes too late for him is closed. At most so many
dials to one address are under way at a time, whatever becomes of those who wait for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Semaphore
from typing import Any

from ....threads import begin


class Dials:
    """
    :param limit: how many dials to one address are under way at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # By process too: a fork takes no threads along, which would give back their places.
        self._places: dict[tuple[int, object], Semaphore] = {}

    def dial(self, address: object, connect: Callable[[], Any], left: Callable[[], float]) -> Any:
        """What ``connect`` gives, run in a thread with the context of this one.

        :param left: seconds that one may still wait.
        :raises TimeoutError: it took longer.
        :raises OSError: what ``connect`` raised, or no more threads may run.
        """
        places = self._places.setdefault((os.getpid(), address), Semaphore(self._limit))
        if not places.acquire(timeout=left()):
            raise TimeoutError
        dialled: Future[Any] = Future()
        try:
            begin(copy_context().run, _run, connect, dialled, places, name="oauth_mw dials")
        except BaseException as error:
            places.release()
            if isinstance(error, RuntimeError):
                raise OSError(str(error)) from None
            raise
        try:
            return dialled.result(left())
        except BaseException:
            dialled.add_done_callback(_close)
            raise


def _run(connect: Callable[[], Any], dialled: Future[Any], places: Semaphore) -> None:
    try:
        made = connect()
    except BaseException as error:  # a thread has nobody above it to tell
        places.release()
        dialled.set_exception(error)
    else:
        places.release()
        dialled.set_result(made)


def _close(dialled: Future[Any]) -> None:
    if dialled.exception() is None:
        dialled.result().close()
