"""Threads of our own in somebody else's server."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Thread


def begin(work: Callable[..., object], *arguments: object, name: str) -> Thread:
    """Start a daemon thread that gets no signals: one that it took would not wake the server, which waits for them.

    :raises RuntimeError: no more threads may run.
    """
    thread = Thread(target=work, args=arguments, name=name, daemon=True)
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        thread.start()
        return thread
    # A thread begins with the mask of the one that starts it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread
