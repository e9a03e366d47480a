"""Who looks for signing keys while others do: in threads, after a fork, and when a look is interrupted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.changes import remove_key
from helpers.processes import exit_code_of, forked
from helpers.support import HandClock, one_store
from oauth_mw import StoreUnavailable
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.keys import REFRESH_SECONDS
from oauth_mw.keys.ring import KeyRing

pytestmark = one_store
LIMIT = 0.2
SLACK = 0.3  # for a machine that is busy


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
    """How long a request waits that may wait for ``LIMIT``, and that is told nothing."""
    started = time.monotonic()
    with RequestDeadline(LIMIT), pytest.raises(StoreUnavailable):
        ring.find(kid)
    return time.monotonic() - started


def test_who_waits_for_the_look_of_another_does_not_wait_longer_than_he_may(ring, kid, look_under_way):
    assert LIMIT <= took(ring, kid) < LIMIT + SLACK


def test_who_waited_for_a_look_that_failed_does_not_wait_for_another(ring, keys, kid, ticks):
    """Else the last of many would wait for all of them, one after the other."""

    def fail():
        time.sleep(LIMIT / 2)
        ticks.move(REFRESH_SECONDS)
        raise StoreUnavailable("it does not answer in time")

    keys.during = fail
    ring.forget()

    with ThreadPoolExecutor(6) as pool:
        waited = list(pool.map(lambda _: took(ring, kid), range(6)))

    assert max(waited) < LIMIT


def test_after_a_fork_in_the_middle_of_a_look_the_child_looks_for_itself(ring, kid, look_under_way):
    def work():
        with RequestDeadline(5):
            return ring.find(kid) is not None

    assert exit_code_of(forked(work)) == 0


def test_the_child_of_that_fork_does_not_believe_what_was_known_before(ring, keys, kid, look_under_way):
    remove_key(keys, kid)

    assert exit_code_of(forked(lambda: ring.find(kid) is None)) == 0


def test_who_was_told_to_forget_does_not_believe_what_was_known_before_a_look_that_was_interrupted(ring, keys, kid):
    remove_key(keys, kid)
    ring.forget()
    keys.during = _interrupt
    with pytest.raises(KeyboardInterrupt):
        ring.find(kid)
    keys.during = lambda: None

    assert ring.find(kid) is None


# Making the next key


@pytest.fixture
def making(keys):
    """Begin to sign in another thread, which makes a key and gets no answer from the store until the end."""
    asked, free = threading.Event(), threading.Event()

    def begin(ring, until):
        keys.adding = lambda: (asked.set(), free.wait(20))
        other = pool.submit(ring.signing, until)
        assert asked.wait(5)
        return other

    with ThreadPoolExecutor(1) as pool:
        yield begin
        free.set()


def test_while_one_thread_makes_the_next_key_the_others_sign_with_the_last(keys, clock, ticks, making):
    ring = KeyRing(keys, clock, ticks, algorithm="ES256", lifetime=3600, lead=300, secret=None)
    last = ring.signing(int(clock()) + 60)
    clock.move(3600)
    other = making(ring, int(clock()) + 60)

    assert (ring.signing(int(clock()) + 60), other.done()) == (last, False)


def test_without_a_key_the_others_wait_no_longer_than_they_may(ring, clock, making):
    making(ring, int(clock()) + 60)

    with RequestDeadline(LIMIT), pytest.raises(StoreUnavailable, match="in time"):
        ring.signing(int(clock()) + 60)


def test_threads_that_begin_together_make_one_key(ring, keys, clock):
    added = []
    keys.adding = lambda: added.append(1)
    with ThreadPoolExecutor(8) as pool:
        kids = set(pool.map(lambda _: ring.signing(int(clock()) + 60).kid, range(8)))

    assert (len(kids), len(added)) == (1, 1)


class Overtaken(KeyRing):
    """Whatever one thread has read, another puts in its place what it knew before."""

    _private = property(lambda self: {}, lambda self, private: None)


def test_who_is_overtaken_by_another_thread_signs_with_the_key_that_he_has_read(keys, clock, ticks):
    ring = Overtaken(keys, clock, ticks, algorithm="ES256", lifetime=None, lead=300, secret=None)

    assert ring.signing(int(clock()) + 60).sign(b"message")


def _interrupt():
    raise KeyboardInterrupt
