"""Reads of signing keys in several threads, after a fork, and when one is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from helpers.changes import remove_key
from helpers.key_rings import rings_of
from helpers.processes import exit_code_of, forked
from helpers.support import HandClock, one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.keys import REFRESH_SECONDS

pytestmark = one_store
LIMIT = 0.2


class Slow:
    """A key store that does ``during`` before it answers, and ``adding`` before it takes a key."""

    def __init__(self, keys):
        self._keys = keys
        self.during = self.adding = lambda: None

    def __getattr__(self, name):
        return getattr(self._keys, name)

    def read_keys(self):
        self.during()
        return self._keys.read_keys()

    def update_keys(self, change, **how):
        before = self._keys.read_keys()
        if len(change(before).keys) > len(before.keys):
            self.adding()
        return self._keys.update_keys(change, **how)


@pytest.fixture
def keys(store):
    return Slow(store)


@pytest.fixture
def ticks():
    """The monotonic clock of the rings. Their waits are real."""
    return HandClock()


@pytest.fixture
def make(keys, clock, ticks):
    return rings_of(keys, clock, ticks)


@pytest.fixture
def ring(make):
    return make()


@pytest.fixture
def kid(ring, signs):
    return signs(ring)


@pytest.fixture
def paused():
    """Call something in another thread, which stops in a call of the store until the end."""
    asked, free = threading.Event(), threading.Event()

    def stop() -> None:
        asked.set()
        free.wait(20)

    def begin(keys: Slow, where: str, work: Callable[..., Any], *arguments: object) -> Any:
        setattr(keys, where, stop)
        other = pool.submit(work, *arguments)
        assert asked.wait(5)
        setattr(keys, where, lambda: None)
        return other

    with ThreadPoolExecutor(1) as pool:
        yield begin
        free.set()


@pytest.fixture
def read_under_way(ring, keys, kid, paused):
    ring.forget()
    paused(keys, "during", ring.public)


def refused(ring, kid):
    """True if a request that may wait for ``LIMIT`` seconds gets no answer."""
    with RequestDeadline(LIMIT), pytest.raises(StoreUnavailable):
        ring.find(kid)
    return True


def test_a_request_waits_for_the_read_of_another_no_longer_than_its_deadline(ring, kid, read_under_way):
    assert refused(ring, kid)


def test_threads_that_waited_for_a_read_that_failed_do_not_read_again(ring, keys, kid, ticks):
    """Else the last of many would wait for all of them, one after the other."""
    failures = []

    def fail():
        failures.append(1)
        ticks.move(REFRESH_SECONDS)
        raise StoreUnavailable("it does not answer in time")

    keys.during = fail
    ring.forget()

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda _: refused(ring, kid), range(6)))

    assert len(failures) == 1


def test_after_a_fork_in_the_middle_of_a_read_the_child_reads_for_itself(ring, kid, read_under_way):
    def work():
        with RequestDeadline(5):
            return ring.find(kid) is not None

    assert exit_code_of(forked(work)) == 0


def test_the_child_of_that_fork_does_not_use_what_was_cached_before(ring, keys, kid, read_under_way):
    remove_key(keys, kid)

    assert exit_code_of(forked(lambda: ring.find(kid) is None)) == 0


def test_an_interrupted_read_does_not_make_a_forgotten_key_valid(ring, keys, kid):
    def interrupt():
        raise KeyboardInterrupt

    remove_key(keys, kid)
    ring.forget()
    keys.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        ring.find(kid)
    keys.during = lambda: None

    assert ring.find(kid) is None


# Making the next key


def test_while_one_thread_makes_the_next_key_the_others_sign_with_the_last(make, keys, clock, soon, paused):
    ring = make(lifetime=3600)
    last = ring.signing(soon())
    clock.move(3600)
    other = paused(keys, "adding", ring.signing, soon())

    assert (ring.signing(soon()), other.done()) == (last, False)


def test_without_a_key_the_others_wait_no_longer_than_they_may(ring, keys, soon, paused):
    paused(keys, "adding", ring.signing, soon())

    with RequestDeadline(LIMIT), pytest.raises(StoreUnavailable, match="in time"):
        ring.signing(soon())


def test_threads_that_begin_together_make_one_key(ring, keys, signs):
    added = []
    keys.adding = lambda: added.append(1)
    with ThreadPoolExecutor(8) as pool:
        kids = set(pool.map(lambda _: signs(ring), range(8)))

    assert (len(kids), len(added)) == (1, 1)
