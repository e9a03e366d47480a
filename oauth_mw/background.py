"""Work that no request waits for: a bounded queue of each process, and one thread that empties it."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar
from weakref import WeakSet, finalize

from .processes import PerProcess
from .threads import begin

MAX_WAITING = 10_000
# Before the first item after a rest. The request that put it there is answered meanwhile, so the time of its answer
# does not show what is done with the item.
PAUSE_SECONDS = 0.05
EXIT_SECONDS = 2.0  # for all queues together

T = TypeVar("T")

log = logging.getLogger("oauth_mw")


class _Queue:
    """What one process has. Made when it is first used, so that gevent has replaced what it replaces."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.dropped = 0


class _Mark:
    """An item that shows how far the thread is; with ``ends`` the thread ends there."""

    def __init__(self, *, ends: bool = False) -> None:
        self.reached = threading.Event()
        self.ends = ends


class Background(Generic[T]):
    """Call ``work`` with each item in a thread, in the order of the items.

    The thread begins with the first item, in each process anew. Where none can be started, ``work`` is called at once.
    An exception in ``work`` is not raised: ``work`` should report it. At most ``size`` items wait; while ``work`` is
    too slow or hangs, further ones are dropped. One warning says when that begins, and one when it is over, with their
    number. At the exit of the process, what waits is worked off within ``EXIT_SECONDS``.

    :param name: what the items are, for warnings and the thread's name.
    :param abandon: called at the exit of the process if ``work`` hangs.
    """

    def __init__(
        self,
        work: Callable[[T], None],
        name: str,
        size: int = MAX_WAITING,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._name = name
        self._abandon = abandon
        self._size = size
        self._queues = PerProcess(_Queue)
        _live.add(self)
        # The thread refers to the queue and the work alone, and ends when this object is not used any more.
        finalize(self, _end, self._queues).atexit = False

    def put(self, item: T) -> None:
        """Add an item, without waiting."""
        own = self._queues.get()
        if (own.thread is None or not own.thread.is_alive()) and not self._begin(own):
            _safely(self._work, item)
        elif own.items.qsize() < self._size:
            own.items.put(item)
        else:
            with own.lock:
                own.dropped += 1
                is_first = own.dropped == 1
            if is_first:
                log.warning("%s are dropped from now on: what takes them is too slow, or hangs", self._name)

    def flush(self, seconds: float = EXIT_SECONDS) -> int:
        """Wait until all that this process has added is worked off. Return how many are not, after ``seconds``."""
        return self.mark()(seconds)

    def mark(self) -> Callable[[float], int]:
        """Return a function that does what ``flush`` does, for all that was added until now."""
        own = self._queues.get()
        mark = _Mark()
        if own.thread is None:
            return lambda seconds: 0
        own.items.put(mark)
        return lambda seconds: 0 if mark.reached.wait(max(seconds, 0)) else own.items.qsize() + own.dropped

    def give_up(self, lost: int) -> None:
        """Warn at the exit that so many items are lost."""
        log.warning("%s are lost at the exit: about %d, since what takes them is too slow", self._name, lost)
        self._abandon()

    def _begin(self, own: _Queue) -> bool:
        with own.lock:
            if own.thread is None or not own.thread.is_alive():
                with suppress(RuntimeError):
                    own.thread = begin(_run, own, self._work, self._name, name=f"oauth_mw {self._name}")
            return own.thread is not None and own.thread.is_alive()


def _run(own: _Queue, work: Callable[[Any], None], name: str) -> None:
    while True:
        item = own.items.get()
        if not isinstance(item, _Mark):
            time.sleep(PAUSE_SECONDS)
        while item is not None:
            if not isinstance(item, _Mark):
                _safely(work, item)
            elif item.ends:
                return
            else:
                item.reached.set()
            try:
                item = own.items.get_nowait()
            except queue.Empty:
                item = None
        with own.lock:
            dropped, own.dropped = own.dropped, 0
        if dropped:
            log.warning("%s are taken again; %d were dropped", name, dropped)


def _safely(work: Callable[[T], None], item: T) -> None:
    with suppress(Exception):
        work(item)


def _end(queues: PerProcess[_Queue]) -> None:
    queues.get().items.put(_Mark(ends=True))


_live: WeakSet[Background[Any]] = WeakSet()


def flush(seconds: float = EXIT_SECONDS) -> bool:
    """Wait until all that this process has put anywhere is worked off; false if it is not after ``seconds``."""
    until = time.monotonic() + seconds
    return not any([each.flush(until - time.monotonic()) for each in list(_live)])


def _finish() -> None:
    until = time.monotonic() + EXIT_SECONDS
    # All are worked off while the first is waited for: one that hangs takes no time from the others.
    waiting = [(each, each.mark()) for each in list(_live)]
    for each, left in waiting:
        if lost := left(until - time.monotonic()):
            each.give_up(lost)


atexit.register(_finish)
