"""Who looks for signing keys while others do: in threads, after a fork, and when a look is interrupted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import exit_code_of, forked
from support import HandClock, one_store

from oauth_mw import StoreUnavailable
from oauth_mw.keys import LOOK_SECONDS
from oauth_mw.keys.ring import KeyRing
from oauth_mw.patience import Patience

pytestmark = one_store
PATIENCE = 0.2
SLACK = 0.3  # for a machine that is busy


class Slow:
    """A key store that does ``during`` before it answers."""

    def __init__(self, keys):
        self._keys = keys
        self.during = lambda: None

    def __getattr__(self, name):
        return getattr(self._keys, name)

    def signing_keys(self):
        self.during()
        return self._keys.signing_keys()


@pytest.fixture
def keys(store):
    return Slow(store.key_store())


@pytest.fixture
def ticks():
    """The monotonic clock of the ring. Its waits are real."""
    return HandClock()


@pytest.fixture
def ring(keys, clock, ticks):
    return KeyRing(keys, clock, ticks, algorithm="ES256", lifetime=None, lead=300, secret=None)


@pytest.fixture
def kid(ring, clock):
    return ring.signing(int(clock()) + 60).kid


@pytest.fixture
def look_under_way(ring, keys):
    """Another thread asks the store and gets no answer until the end."""
    asked, free = threading.Event(), threading.Event()
    keys.during = lambda: (asked.set(), free.wait(20))
    ring.forget()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(ring.public)
        assert asked.wait(5)
        keys.during = lambda: None
        yield
        free.set()
        looking.result()


def took(ring, kid):
    """How long a request waits that may wait for ``PATIENCE``, and that is told nothing."""
    started = time.monotonic()
    with Patience(PATIENCE), pytest.raises(StoreUnavailable):
        ring.find(kid)
    return time.monotonic() - started


def test_who_waits_for_the_look_of_another_does_not_wait_longer_than_he_may(ring, kid, look_under_way):
    assert PATIENCE <= took(ring, kid) < PATIENCE + SLACK


def test_who_waited_for_a_look_that_failed_does_not_wait_for_another(ring, keys, kid, ticks):
    """Else the last of many would wait for all of them, one after the other."""

    def fail():
        time.sleep(PATIENCE / 2)
        ticks.move(LOOK_SECONDS)
        raise StoreUnavailable("it does not answer in time")

    keys.during = fail
    ring.forget()

    with ThreadPoolExecutor(6) as pool:
        waited = list(pool.map(lambda _: took(ring, kid), range(6)))

    assert max(waited) < PATIENCE


def test_after_a_fork_in_the_middle_of_a_look_the_child_looks_for_itself(ring, kid, look_under_way):
    def work():
        with Patience(5):
            return ring.find(kid) is not None

    assert exit_code_of(forked(work)) == 0


def test_the_child_of_that_fork_does_not_believe_what_was_known_before(ring, keys, kid, look_under_way):
    keys.remove_signing_key(kid)

    assert exit_code_of(forked(lambda: ring.find(kid) is None)) == 0


def test_who_was_told_to_forget_does_not_believe_what_was_known_before_a_look_that_was_interrupted(ring, keys, kid):
    keys.remove_signing_key(kid)
    ring.forget()
    keys.during = _interrupt
    with pytest.raises(KeyboardInterrupt):
        ring.find(kid)
    keys.during = lambda: None

    assert ring.find(kid) is None


class Overtaken(KeyRing):
    """Whatever one thread has read, another puts in its place what it knew before."""

    _private = property(lambda self: {}, lambda self, private: None)


def test_who_is_overtaken_by_another_thread_signs_with_the_key_that_he_has_read(keys, clock, ticks):
    ring = Overtaken(keys, clock, ticks, algorithm="ES256", lifetime=None, lead=300, secret=None)

    assert ring.signing(int(clock()) + 60).private


def _interrupt():
    raise KeyboardInterrupt
