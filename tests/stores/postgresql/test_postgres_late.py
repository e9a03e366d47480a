"""A commit that took all the time that its request had."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.builders import HOUR, registered
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.deadlines import deadline_in
from oauth_mw.stores.sql.postgresql import engine
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

TIMEOUT = 0.4
LONG = 1000.0


@pytest.fixture
def store(postgres_url):
    with closing(open_store(postgres_url, create=True)) as patient:
        patient.add_client(registered())
    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        yield store


@pytest.fixture
def late(store, monkeypatch):
    """From now on a commit is confirmed when the time is over."""
    commit = engine._commit

    def wait(driver):
        commit(driver)
        time.sleep(max(driver.deadline - time.monotonic(), 0))

    return lambda: monkeypatch.setattr(engine, "_commit", wait)


def test_no_callback_waits_longer_than_the_request_may(store, late, postgres_url):
    left = []

    def ended():
        left.append(deadline_in(LONG) - time.monotonic())
        with pytest.raises(StoreUnavailable, match="stayed in use"):
            store.find_client("tester")

    store.on_revocation(ended)
    with Raw(postgres_url) as raw:
        wait_until(lambda: not raw.backends(), "the end of connections that were closed")
        late()
        assert end_client(store, "tester")

        assert len(left) == 1 and left[0] <= 0
        assert len(raw.backends()) == 1  # a callback without time sends nothing


def test_with_time_left_it_is_what_the_commit_has_left(store):
    left = []
    store.on_revocation(lambda: left.append(deadline_in(LONG) - time.monotonic()))

    end_client(store, "tester")

    assert 0 < left[0] < TIMEOUT


def test_what_was_ended_so_late_is_not_accepted_from_the_cache(store, late):
    tokens = OpaqueTokens(store, time.time, "", "")
    options = {"size": 10, "lag": LONG, "grace": LONG, "timeout": TIMEOUT, "monotonic": time.monotonic}
    cache = TokenCache(tokens.read, store, **options)
    text, token = tokens.issue(store.find_client("tester"), (), HOUR)
    assert cache.find(text, text) and cache.cached(text)
    late()

    assert store.revoke_token(bytes.fromhex(token.token_id))

    assert cache.cached(text) is None and cache.find(text, text) is None
