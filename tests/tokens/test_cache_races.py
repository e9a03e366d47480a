"""The cache of verified tokens while things happen in between: races, slow looks, pauses, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event

import pytest

from helpers.builders import HOUR, registered
from helpers.changes import end_client
from helpers.support import HandClock
from oauth_mw import StoreUnavailable
from oauth_mw.tokens.cache import POLL_SECONDS, TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens, storage_key


class Watched:
    """A store that counts its looks, and does what it is told in the middle of one."""

    def __init__(self, store):
        self._store = store
        self.looks = 0
        self.during = lambda: None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def read_log(self, store_id, after):
        self.looks += 1
        page = self._store.read_log(store_id, after)
        self.during()
        return page


@pytest.fixture
def log(store):
    store.add_client(registered())
    store.add_client(registered("other"))
    return Watched(store)


@pytest.fixture
def tokens(store, log, clock):
    return OpaqueTokens(store, clock, "", "Bearer")


@pytest.fixture
def ticks():
    """The monotonic clock."""
    return HandClock()


@pytest.fixture
def make(log, tokens, ticks):
    def make(read=tokens.read, **options):
        cache = TokenCache(
            read, log, **{"size": 100, "lag": 1, "grace": 0, "timeout": 1, "monotonic": ticks, **options}
        )
        cache.find("unknown", "")
        return cache

    return make


@pytest.fixture
def issue(store, tokens):
    return lambda client_id="tester": tokens.issue(store.find_client(client_id), (), HOUR)[0]


def disabled_and_enabled(store):
    end_client(store, "tester", disable=True)
    store.update_client("tester", lambda client: replace(client, enabled=True))


ENDS = {
    "revoked": lambda store, tokens, text: store.revoke_token(storage_key(text)),
    "all ended": lambda store, tokens, text: end_client(store, "tester"),
    "disabled": lambda store, tokens, text: end_client(store, "tester", disable=True),
    "disabled and enabled": lambda store, tokens, text: disabled_and_enabled(store),
    "deleted": lambda store, tokens, text: end_client(store, "tester", delete=True),
}
every_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


@every_end
def test_exactly_what_ended_is_evicted(make, issue, store, tokens, end):
    cache, one, two, foreign = make(), issue(), issue(), issue("other")
    for text in (one, two, foreign):
        cache.find(text, text)

    end(store, tokens, one)

    assert cache.find(one, "") is None
    assert (cache.find(two, "") is not None) is (tokens.read(two) is not None)
    assert cache.find(foreign, "") is not None


@every_end
def test_the_older_segment_of_the_cache_is_evicted_too(make, issue, store, tokens, end):
    cache, text = make(size=2), issue()
    for each in (text, issue("other"), issue("other")):
        cache.find(each, each)

    end(store, tokens, text)

    assert cache.find(text, "") is None


@every_end
@pytest.mark.parametrize("told", ["told in between", "told later"])
def test_a_row_that_was_read_before_its_end_does_not_stay(make, issue, store, tokens, end, told):
    text = issue()

    def read(asked):
        token = tokens.read(asked)
        if asked == text:
            end(store, tokens, text)
            if told == "told in between":
                cache.find("of another thread", "")
        return token

    cache = make(read)
    assert cache.find(text, text) is not None  # its own request was under way when the token ended

    assert cache.find(text, "") is None


@pytest.mark.parametrize("when", ["read before", "cached before"])
def test_a_token_of_another_store_behind_the_url_does_not_stay(make, issue, tokens, log, ticks, when):
    text = issue()

    def take_the_place():
        log.read_log = lambda store_id, after: log._store.read_log("another", after)
        ticks.move(POLL_SECONDS)

    def read(asked):
        token = tokens.read(asked)
        if asked == text and when == "read before":
            take_the_place()
            cache.find("of another thread", "")
        return token

    cache = make(read)
    cache.find(text, text)
    if when == "cached before":
        take_the_place()

    assert cache.find(text, "") is None


@every_end
def test_an_end_during_a_look_is_met_by_the_next_request(make, issue, store, tokens, log, ticks, end):
    cache, text = make(), issue()
    cache.find(text, text)
    log.during = lambda: end(store, tokens, text)
    ticks.move(POLL_SECONDS)
    cache.find(text, "")
    log.during = lambda: None

    assert cache.find(text, "") is None


def test_a_hit_polls_once_a_second_counted_from_the_beginning_of_the_poll(make, issue, log, ticks):
    cache, text = make(), issue()
    cache.find(text, text)
    looks = log.looks
    log.during = lambda: ticks.move(POLL_SECONDS / 2)
    counts = []
    for seconds in (POLL_SECONDS - 0.001, 0.001, POLL_SECONDS / 2 - 0.001, 0.001):
        ticks.move(seconds)
        cache.find(text, "")
        counts.append(log.looks - looks)

    assert counts == [0, 1, 1, 2]


@pytest.mark.parametrize("seconds", [POLL_SECONDS, 3600], ids=["next poll", "pause"])
def test_a_revocation_without_a_moved_generation_is_met_by_the_next_poll(
    make, issue, store, tokens, log, ticks, seconds
):
    # A revoker that was killed between its commit and the counter leaves this behind.
    log.generation = lambda: 0
    cache, text = make(), issue()
    cache.find(text, text)
    ENDS["revoked"](store, tokens, text)
    assert cache.find(text, "") is not None

    ticks.move(seconds)

    assert cache.find(text, "") is None


def test_a_token_can_be_kept_again_after_the_log_told_of_others(make, issue, store):
    cache, text = make(), issue()
    end_client(store, "other")
    cache.find(text, text)
    cache.find(text, "")

    cache.find(text, text)

    assert cache.find(text, "") is not None


def test_a_hit_reads_nothing_but_the_generation(make, issue, log):
    cache, text = make(), issue()
    found, looks = cache.find(text, text), log.looks
    log.read_log = log.verify = None

    assert [cache.find(text, "") for _ in range(3)] == [found] * 3
    assert log.looks == looks


def test_no_token_text_is_kept(make, issue):  # L-02
    cache, text = make(), issue()
    cache.find("Bearer " + text, text)

    kept = [*cache._recent.by_digest, *cache._recent.by_digest.values(), *cache._recent.digests, *vars(cache).values()]

    assert len(kept) > 5 and text not in repr(kept)


def test_many_threads_cause_one_look(make, log, ticks):
    cache = make()
    looks, start = log.looks, Barrier(8)
    ticks.move(POLL_SECONDS)

    def get(_):
        start.wait()
        return cache.find("unknown", "")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == [None] * 8

    assert log.looks == looks + 1


def test_who_waits_for_the_look_of_another_thread_does_not_wait_for_ever(make, log, ticks):
    cache = make(timeout=0.05)
    looking, free = Event(), Event()
    log.during = lambda: (looking.set(), free.wait(20))
    ticks.move(POLL_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(cache.find, "unknown", "")
        looking.wait(5)
        with pytest.raises(StoreUnavailable):
            cache.find("unknown", "")
        free.set()


def test_no_thread_accepts_what_any_thread_has_ended(make, issue, store, tokens):  # B-21
    cache = make(size=8)
    start = Barrier(6)

    def work(_):
        start.wait()
        stale = 0
        for _ in range(15):
            text = issue()
            assert cache.find(text, text) is not None
            ENDS["revoked"](store, tokens, text)
            stale += cache.find(text, text) is not None
        return stale

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [0] * 6
