"""The whole of what the log alone says is read in parts, by whoever looks next."""

from __future__ import annotations

import time

import pytest

from helpers.builders import key_of, log_of, registered
from helpers.changes import end_client
from helpers.processes import exit_code_of, forked
from helpers.support import HandClock
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.model import AccessToken
from oauth_mw.tokens.cache import RETRY_SECONDS, TokenCache
from oauth_mw.tokens.denylist import Denylist, load_denylist

TOKENS = 5
TIMEOUT = 0.2
PARTS = [TOKENS // 2 + 1, 1]  # two tokens each, and the clients


class Slow:
    """A log that takes almost all of a request's time for each part; ``during`` is called in it."""

    def __init__(self, store):
        self._store = store
        self.asked = []
        self.slow = True
        self.during = lambda: None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def read_denylist(self, after=()):
        self.asked.append(after)
        self.during()
        if self.slow:
            time.sleep(TIMEOUT / 2)
        return self._store.read_denylist(after)


@pytest.fixture
def store(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("oauth_mw.stores.sql.log.DENYLIST_PAGE_SIZE", 2)
    store = open_store(f"sqlite:///{tmp_path}/oauth.db", create=True, clock=clock)
    for client_id in ("tester", "other"):
        store.add_client(registered(client_id))
    for number in range(TOKENS):
        store.revoke_log_only("tester", key_of(number), 0)
    yield store
    store.close()


@pytest.fixture
def log(store):
    return Slow(store)


@pytest.fixture
def denylist(clock):
    return Denylist(clock)


@pytest.fixture
def whole(log, denylist):
    return lambda page: denylist.load(log, page, TIMEOUT)


def read(whole, log):
    """What it says at last, and how often it said before that there is more."""
    for more in range(20):
        try:
            return whole(log_of(log)), more
        except StoreUnavailable:
            pass
    raise AssertionError("it never denylist")


def test_each_part_is_read_once_however_many_look(whole, log):
    _, more = read(whole, log)

    assert more >= 2
    assert len(log.asked) == len(set(log.asked)) == sum(PARTS)


def test_all_is_known_when_it_is_settled_and_nothing_before(whole, log, denylist):
    read(whole, log)
    before = len(denylist)
    denylist.settle()

    assert (before, len(denylist)) == (0, TOKENS)


def test_what_ends_meanwhile_counts(whole, log, denylist, store):
    log.during = lambda: (store.revoke_log_only("tester", key_of(100 + len(log.asked)), 0), end_client(store, "other"))

    read(whole, log)
    denylist.settle()

    assert all(denylist.is_revoked(key_of(100 + number), "tester", 0) for number in range(1, len(log.asked) + 1))
    assert denylist.is_revoked(key_of(), "other", 0)


def test_it_says_where_the_log_stands_at_the_end(whole, log, store):
    log.during = lambda: end_client(store, "other")

    page, _ = read(whole, log)

    assert (page.complete, page.position) == (False, log_of(store).position)


def test_parts_of_two_stores_are_not_put_together(whole, log, denylist, store, tmp_path, clock):
    another = open_store(f"sqlite:///{tmp_path}/another.db", create=True, clock=clock)
    another.add_client(registered())
    log.slow = False
    log.during = lambda: setattr(log, "_store", another)
    first = log_of(store)

    with pytest.raises(StoreUnavailable):
        whole(first)
    log.during = lambda: None
    whole(log_of(another))
    denylist.settle()

    assert len(denylist) == 0
    another.close()


def test_a_child_that_is_forked_meanwhile_reads_on(whole, log, denylist):
    with pytest.raises(StoreUnavailable):
        whole(log_of(log))

    def work():
        read(whole, log)
        denylist.settle()
        return len(denylist) == TOKENS

    assert exit_code_of(forked(work)) == 0


def test_a_worker_accepts_nothing_before_all_was_read(log, denylist, clock):
    ticks = HandClock()
    token = AccessToken("tester", "", frozenset(), key_of().hex(), 0, 0)

    def live(text):
        return None if denylist.is_revoked(key_of(int(text)), "tester", 0) else token

    options = {"size": 9, "lag": 1, "grace": 0, "timeout": TIMEOUT, "monotonic": ticks}
    cache = TokenCache(live, log, denylist=denylist, **options)

    def judged():
        ticks.move(RETRY_SECONDS)
        started = time.monotonic()
        try:
            return [cache.find(text, text) is not None for text in ("0", str(TOKENS))]
        except StoreUnavailable:
            assert time.monotonic() - started < 2 * TIMEOUT
            return "unavailable"

    said = [judged() for _ in range(6)]

    assert said[0] == "unavailable" and said[-1] == [False, True]
    assert said == sorted(said, key=lambda each: each != "unavailable")


def test_all_can_be_read_at_once(store):
    assert len(load_denylist(store, lambda: 0)) == TOKENS
