"""What each process has of its own: in threads, after a fork, and after one past Python."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from weakref import ref

import pytest

from helpers.processes import exit_code_of, forked
from oauth_mw.processes import PerProcess

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def test_threads_that_meet_first_have_the_same_value():
    start, lock = Barrier(8), PerProcess(Lock)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: start.wait() is None or lock.get(), range(8)))

    assert found == {lock.get()}


@needs_fork
def test_a_child_has_another_value_than_its_parent():
    lock = PerProcess(Lock)

    with lock.get():
        assert exit_code_of(forked(lambda: lock.get().acquire(timeout=0))) == 0


@needs_fork
def test_a_child_keeps_its_value_and_drops_that_of_its_parent():
    values = PerProcess(set)
    parents = ref(values.get())

    assert exit_code_of(forked(lambda: values.get() is values.get() and parents() is None)) == 0


@needs_fork
def test_an_id_that_comes_again_is_another_process(monkeypatch):
    values = PerProcess(list)
    values.get().append("the parent's")
    monkeypatch.setattr(os, "getpid", lambda: 7)
    values.get().append("an ancestor's")

    assert exit_code_of(forked(lambda: values.get() == [])) == 0


@needs_fork
def test_a_fork_past_python_is_noticed():
    values = PerProcess(list)
    values.get().append("the parent's")

    child = ctypes.PyDLL(None).fork()
    if child == 0:
        os._exit(len(values.get()))

    assert exit_code_of(child) == 0
