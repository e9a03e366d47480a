"""Background threads, inside a server that does not expect them."""

from __future__ import annotations

import _thread
import signal
import sys
from collections.abc import Callable
from threading import Thread


def begin(work: Callable[..., object], *arguments: object, name: str) -> Thread:
    """Start a daemon thread that receives no signals.

    A signal that it received would not wake the server's main thread, which waits for signals.

    :raises RuntimeError: no more threads can be started.
    """
    thread = Thread(target=work, args=arguments, name=name, daemon=True)
    if not hasattr(signal, "pthread_sigmask") or _are_greenlets():  # Windows has no masks
        thread.start()
        return thread
    # A new thread inherits the signal mask of the thread that starts it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread


def can_run() -> bool:
    """False in a uWSGI without threads, where a thread only runs while a request is answered.

    It would keep a lock of the store until the next request.
    """
    return bool(getattr(sys.modules.get("uwsgi"), "has_threads", True))


def _are_greenlets() -> bool:
    """True if gevent or eventlet starts a greenlet instead of a thread.

    A greenlet runs in this thread and shares its signal mask. Starting one may switch to another greenlet, which would
    fork with all signals blocked, or save the blocked mask as the one to restore.
    """
    return _thread.start_new_thread.__module__ != "_thread"
