"""Multiprocess mode: each process copies its numbers to its files of prometheus-client, which a scrape adds up."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from errno import ENOSPC
from weakref import WeakMethod, WeakSet

from prometheus_client import Counter, Gauge, Histogram

from ..processes import PerProcess
from ..threads import begin
from .counts import BOUNDS, Labels
from .names import STORE, Name
from .numbers import Worker

COPY_SECONDS = 1.0
# The library maps its files, so a page for which the file system has no room would kill the process (SIGBUS).
ROOM_BYTES = 4_000_000
BEHIND_SECONDS = 2.0  # after which a process that serves no requests polls the log by itself

log = logging.getLogger("oauth_mw")

# The library has one file for each process, in which two objects with one name would overwrite each other. So all
# middlewares of a process share these, and add to them.
_workers: WeakSet[Worker] = WeakSet()
_copying = PerProcess(threading.Lock).get
_counters: dict[tuple[Name, Labels], Counter] = {}
_gauges: dict[Name, Gauge] = {}
_histograms: dict[Name, Histogram] = {}


class Copier:
    """Copies the numbers of one middleware in this process once a second, and at its exit.

    :param folder: of the files of all processes.
    :param look: begins a look at the store, which polls the log.
    """

    def __init__(self, worker: Worker, folder: str, look: Callable[[], None]) -> None:
        self._worker = worker
        self._folder = folder
        self._look = look
        self._poll_after = max(BEHIND_SECONDS, worker.cache.lag)
        self._started: tuple[int, threading.Thread | None] = 0, None
        self._due = 0.0
        self._has_failed = False
        _workers.add(worker)
        weak_copy = WeakMethod(self.copy)  # the middleware may be dropped before the exit

        def copy_last() -> None:
            if copy := weak_copy():
                copy(is_last=True)

        atexit.register(copy_last)

    def copy_soon(self) -> None:
        """Let the thread of this process copy, or copy at once, once a second, where none can be started."""
        process, thread = self._started
        if process == os.getpid() and thread is not None:
            return
        try:
            self._started = os.getpid(), begin(_copy_on, WeakMethod(self._tick), name="oauth_mw copies metrics")
        except RuntimeError:
            if time.monotonic() >= self._due:
                self.copy()

    def _tick(self) -> None:
        self.copy()
        if self._worker.cache.behind() > self._poll_after:
            self._look()

    def copy(self, *, is_last: bool = False) -> None:
        """Copy what was counted since the last time. What fails is logged, and tried again."""
        self._due = time.monotonic() + COPY_SECONDS
        try:
            with _copying():
                if shutil.disk_usage(self._folder).free < ROOM_BYTES:
                    raise OSError(ENOSPC, f"fewer than {ROOM_BYTES // 1_000_000} MB are free", self._folder)
                self._copy_counters(is_last)
                self._copy_latencies()
                if not is_last:
                    _set_gauges()
            self._has_failed = False
        except Exception as error:
            if not self._has_failed:
                is_known = isinstance(error, OSError)
                log.error("the metrics cannot be copied to their files: %s", error, exc_info=not is_known)
            self._has_failed = True

    def _copy_counters(self, is_last: bool) -> None:
        # At its exit, a process that has counted nothing, such as gunicorn's first one, makes no file.
        copied = self._worker.counts.copied
        for name, values in self._worker.counters():
            key = name, self._worker.labels(name)
            counter = _counters.get(key)
            if counter is None:
                counter = _counters[key] = Counter(name.name, name.help, key[1], registry=None)
            for labels, value in values.items():
                before = copied.get((name.name, *labels))
                if value != before and (value or not is_last):
                    (counter.labels(*labels) if labels else counter).inc(value - (before or 0))
                    copied[name.name, *labels] = value

    def _copy_latencies(self) -> None:
        copied = self._worker.counts.copied_latencies
        if STORE not in _histograms:
            _histograms[STORE] = Histogram(STORE.name, STORE.help, STORE.labels, buckets=BOUNDS, registry=None)
        for operation, counts, seconds in self._worker.latencies():
            counts_before, seconds_before = copied.get(operation, ([0] * len(counts), 0.0))
            child = _histograms[STORE].labels(operation)
            # observe() takes one value, and there may be thousands.
            for bucket, count, before in zip(child._buckets, counts, counts_before, strict=True):
                if count != before:
                    bucket.inc(count - before)
            child._sum.inc(seconds - seconds_before)
            copied[operation] = counts, seconds


def _set_gauges() -> None:
    found: dict[Name, list[float]] = {}
    for worker in list(_workers):
        for name, value in worker.gauges():
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        if name not in _gauges:
            _gauges[name] = Gauge(name.name, name.help, registry=None, multiprocess_mode=name.over)
        _gauges[name].set(sum(values) if name.over == "livesum" else max(values))


def _copy_on(weak_tick: WeakMethod[Callable[[], None]]) -> None:
    while tick := weak_tick():
        with suppress(Exception):  # of a process that is ending
            tick()
        del tick
        time.sleep(COPY_SECONDS)
