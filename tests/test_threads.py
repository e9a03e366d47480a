"""Threads that the middleware starts in a server's process."""

from __future__ import annotations

import signal
import subprocess
import sys
from queue import Queue
from threading import Thread

import pytest

from oauth_mw.threads import begin

needs_masks = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no signal masks")


def mask() -> set[signal.Signals]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_thread_does_its_work_and_ends():
    done: Queue[int] = Queue()

    begin(done.put, 7, name="puts").join()

    assert done.get(timeout=10) == 7


@needs_masks
def test_a_thread_gets_no_signals():
    masks: Queue[set[signal.Signals]] = Queue()

    begin(lambda: masks.put(mask()), name="looks at its mask")

    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD} <= masks.get(timeout=10)


@needs_masks
def test_the_thread_that_starts_another_gets_signals_as_before():
    before = mask()

    begin(lambda: None, name="does nothing")

    assert mask() == before


@needs_masks
def test_a_thread_that_fails_to_start_another_gets_signals_as_before(monkeypatch):
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = mask()
    monkeypatch.setattr(Thread, "start", refuse)

    with pytest.raises(RuntimeError):
        begin(lambda: None, name="never runs")
    assert mask() == before


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, signal, time
from oauth_mw.threads import begin

def mask():
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])

def meanwhile():
    gevent.sleep(0)
    seen.append(mask())

seen, before = [], mask()
gevent.joinall([gevent.spawn(begin, time.sleep, 0.01, name="sleeps") for _ in range(2)] + [gevent.spawn(meanwhile)])
print(mask() == before, seen == [before])
"""


@needs_masks
def test_greenlets_that_start_threads_at_once_all_get_signals_as_before():
    pytest.importorskip("gevent")

    ran = subprocess.run([sys.executable, "-c", GREENLETS], capture_output=True, text=True, check=True)

    assert ran.stdout == "True True\n"
