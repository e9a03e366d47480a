"""What is done in the background holds no caller, whatever happens to it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest

from helpers.processes import exit_code_of, forked
from oauth_mw import background
from oauth_mw.background import Background

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def gate():
    """Work waits until this is set."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_items_are_worked_off_in_their_order_by_one_thread_besides():
    seen = []
    work = Background(lambda item: seen.append((item, threading.current_thread().name)), "events")
    for number in range(100):
        work.put(number)

    assert work.flush(10) == 0
    assert seen == [(number, "oauth_mw events") for number in range(100)]


def test_no_thread_runs_before_the_first_item():
    Background(print, "idle events")

    assert "oauth_mw idle events" not in {each.name for each in threading.enumerate()}


def test_an_exception_ends_neither_the_thread_nor_the_caller():
    seen = []
    work = Background(lambda item: seen.append(1 // item), "events")
    work.put(0)
    work.put(1)

    assert (work.flush(10), seen) == (0, [1])


def test_work_that_hangs_holds_no_caller_and_what_is_dropped_is_counted(gate, caplog):
    seen, begun = [], threading.Event()

    def hanging(item):
        begun.set()
        assert gate.wait(60)
        seen.append(item)

    work = Background(hanging, "events", size=3)
    work.put(0)
    assert begun.wait(10)
    for number in range(1, 10):
        work.put(number)
    assert seen == []
    gate.set()

    assert (work.flush(10), seen) == (0, [0, 1, 2, 3])
    assert caplog.messages[0] == "events are dropped from now on: what takes them is too slow, or hangs"
    deadline = time.monotonic() + 10
    while len(caplog.messages) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert caplog.messages[1:] == ["events are taken again; 6 were dropped"]


def test_where_no_thread_can_be_started_the_work_is_done_at_once(monkeypatch):
    def refuse(*arguments, **names):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(background, "begin", refuse)
    seen = []
    work = Background(lambda item: seen.append(1 // item), "events")
    work.put(0)
    work.put(1)

    assert seen == [1]


def test_a_child_has_a_thread_of_its_own_and_no_item_of_its_parent(gate):
    seen = []

    def work(item):
        assert gate.wait(60)
        seen.append(item)

    shared = Background(work, "events")
    shared.put("of the parent")

    def in_child():
        gate.set()
        shared.put("of the child")
        return shared.flush(10) == 0 and seen == ["of the child"]

    assert exit_code_of(forked(in_child)) == 0


def test_the_thread_ends_with_what_it_works_for():
    work = Background(lambda item: None, "short events")
    work.put(1)
    work.flush(10)
    (thread,) = (each for each in threading.enumerate() if each.name == "oauth_mw short events")
    del work
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()


EXIT = """
import threading, time
from oauth_mw.background import Background
work = Background({work}, "events")
for number in range(20):
    work.put(number)
"""


def at_exit(work):
    started = time.monotonic()
    code = EXIT.format(work=work)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done, time.monotonic() - started


def test_at_the_exit_all_that_waits_is_worked_off():
    done, _ = at_exit("lambda item: print(item, flush=True)")

    assert done.stdout.split() == list(map(str, range(20)))


@pytest.mark.slow
def test_an_exit_waits_a_bounded_time_for_work_that_hangs_and_says_what_is_lost():
    done, seconds = at_exit("lambda item: threading.Event().wait()")

    assert "events are lost at the exit: about 20" in done.stderr
    assert 2 <= seconds < 30


BOTH = """
import threading
from oauth_mw.background import Background
queues = [Background(lambda item: threading.Event().wait(), f"hanging {number}") for number in range(3)]
queues.append(Background(lambda item: print(item), "events"))
for each in queues:
    each.put("worked off")
"""


@pytest.mark.slow
def test_work_that_hangs_takes_no_time_at_the_exit_from_other_work():
    done = subprocess.run([sys.executable, "-c", BOTH], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "worked off\n"
    assert sorted(line.split(" are ")[0] for line in done.stderr.splitlines()) == [f"hanging {n}" for n in range(3)]
