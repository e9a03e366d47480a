"""Threads of our own in somebody else's server."""

from __future__ import annotations

import _thread
import signal
from collections.abc import Callable
from threading import Thread


def begin(work: Callable[..., object], *arguments: object, name: str) -> Thread:
    """Start a daemon thread that gets no signals: one that it took would not wake the server, which waits for them.

    :raises RuntimeError: no more threads may run.
    """
    thread = Thread(target=work, args=arguments, name=name, daemon=True)
    if not hasattr(signal, "pthread_sigmask") or _are_greenlets():  # Windows has no masks
        thread.start()
        return thread
    # A thread begins with the mask of the one that starts it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread


def _are_greenlets() -> bool:
    """What gevent or eventlet start in a thread's place runs in this very thread, and so has its mask.

    Starting one lets others run: they would fork with all blocked, or take that for the mask to go back to.
    """
    return _thread.start_new_thread.__module__ != "_thread"
