"""The cache of verified tokens while the store does not answer (L-03)."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from helpers.builders import HOUR, registered
from helpers.changes import end_client
from helpers.support import HandClock
from oauth_mw import StoreUnavailable
from oauth_mw.errors import InvalidToken
from oauth_mw.guard import Guard
from oauth_mw.rules import Rules
from oauth_mw.tokens.cache import POLL_SECONDS, RETRY_SECONDS, TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

STORE_KINDS = ["memory"]

GRACE = 30


class Unsteady:
    """A store that answers only while it is ``up``; its generation is memory and can always be read."""

    def __init__(self, store):
        self._store = store
        self.up = True

    def __getattr__(self, name):
        if not self.up and name != "generation":
            raise StoreUnavailable("down")
        return getattr(self._store, name)


@pytest.fixture
def log(store):
    store.add_client(registered())
    return Unsteady(store)


@pytest.fixture
def ticks():
    """The monotonic clock."""
    return HandClock()


@pytest.fixture
def tokens(store, clock):
    return OpaqueTokens(store, clock, "", "Bearer")


@pytest.fixture
def text(store, tokens):
    return tokens.issue(store.find_client("tester"), (), HOUR)[0]


@pytest.fixture
def make(log, tokens, ticks, text):
    def make(grace=0):
        cache = TokenCache(tokens.read, log, size=10, lag=1, grace=grace, timeout=1, monotonic=ticks)
        cache.find(text, "")
        cache.find(text, text)
        return cache

    return make


def is_refused(cache, text):
    try:
        return cache.find(text, "") is None
    except StoreUnavailable:
        return True


@pytest.mark.parametrize("after", [0, 0.001, POLL_SECONDS])
def test_without_grace_nothing_is_accepted_that_may_have_ended(make, store, log, ticks, text, after):
    cache = make()
    end_client(store, "tester")
    log.up = False
    ticks.move(after)

    with pytest.raises(StoreUnavailable):
        cache.find(text, "")


def test_without_grace_an_outage_is_met_when_the_look_is_due_and_not_before(make, log, ticks, text):
    cache = make()
    log.up = False
    ticks.move(POLL_SECONDS - 0.001)
    before = is_refused(cache, text)
    ticks.move(0.001)

    assert (before, is_refused(cache, text)) == (False, True)


@pytest.mark.parametrize(
    ("looked", "after", "refused"),
    [(0, GRACE - 0.001, False), (0, GRACE, True), (20, 20 + GRACE - 0.001, False), (20, 20 + GRACE, True)],
)
def test_grace_is_counted_from_the_last_answer(make, log, ticks, text, looked, after, refused):
    cache = make(GRACE)
    ticks.move(looked)
    cache.find(text, "")
    log.up = False
    ticks.move(after - looked)

    assert is_refused(cache, text) is refused


def test_the_last_answer_is_as_old_as_its_question(make, log, ticks, text, monkeypatch):
    cache, read_log = make(GRACE), log._store.read_log
    with monkeypatch.context() as slow:
        slow.setattr(log._store, "read_log", lambda *after: (ticks.move(5), read_log(*after))[1])
        ticks.move(POLL_SECONDS)
        cache.find(text, "")
    log.up = False

    ticks.move(GRACE - 5)

    assert is_refused(cache, text)


def test_failed_looks_do_not_prolong_the_grace(make, log, ticks, text):
    cache = make(GRACE)
    log.up = False
    for _ in range(GRACE):
        assert not is_refused(cache, text)
        ticks.move(1)

    assert is_refused(cache, text)


@pytest.mark.parametrize(("before_expiry", "refused"), [(1, None), (0, InvalidToken), (-1, InvalidToken)])
def test_no_grace_goes_past_the_expiry(make, store, log, tokens, ticks, clock, before_expiry, refused):
    cache = make(GRACE)
    text = tokens.issue(store.find_client("tester"), (), HOUR)[0]
    guard = Guard(Rules((), (), {}, "refuse").decide, cache, clock, challenge="Bearer")
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": f"Bearer {text}"}
    guard(request)
    log.up = False
    ticks.move(POLL_SECONDS)
    clock.move(HOUR - before_expiry)

    with pytest.raises(refused) if refused else nullcontext():
        guard(request)


def test_grace_is_for_what_is_cached_alone(make, log, ticks, text):
    cache = make(GRACE)
    log.up = False
    ticks.move(POLL_SECONDS)

    with pytest.raises(StoreUnavailable):
        cache.find("unknown", "")


def test_a_worker_that_starts_in_an_outage_accepts_nothing(log, tokens, ticks, text):
    log.up = False

    with pytest.raises(StoreUnavailable):
        TokenCache(tokens.read, log, size=10, lag=1, grace=GRACE, timeout=1, monotonic=ticks).find(text, "")


def test_what_ended_during_the_grace_is_known_once_the_store_answers(make, store, log, ticks, text):
    cache = make(GRACE)
    log.up = False
    end_client(store, "tester")
    ticks.move(POLL_SECONDS)
    during = is_refused(cache, text)

    log.up = True
    ticks.move(RETRY_SECONDS)

    assert (during, is_refused(cache, text)) == (False, True)


def test_after_an_outage_the_cache_goes_on_as_it_was(make, log, ticks, text):
    cache = make()
    log.up = False
    ticks.move(3600)
    assert is_refused(cache, text)

    log.up = True
    ticks.move(RETRY_SECONDS)

    assert not is_refused(cache, text)


def test_a_store_that_failed_is_asked_again_after_some_time_and_not_before(make, log, ticks, text):
    cache = make()
    log.up = False
    ticks.move(POLL_SECONDS)
    is_refused(cache, text)
    log.up = True

    ticks.move(RETRY_SECONDS - 0.001)
    before = is_refused(cache, text)
    ticks.move(0.001)

    assert (before, is_refused(cache, text)) == (True, False)
