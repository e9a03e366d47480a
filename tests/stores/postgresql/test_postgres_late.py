"""A commit that takes all the time of its request."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.builders import opened
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw
from helpers.woken import Worker
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.deadlines import deadline_in
from oauth_mw.stores.sql.postgresql import engine

TIMEOUT = 1.0
LONG = 1000.0


@pytest.fixture
def store(postgres_url):
    with opened(postgres_url):
        pass
    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        yield store


@pytest.fixture
def late(store, monkeypatch):
    """Returns a function after which commits are confirmed at their deadline."""
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


def test_what_was_revoked_so_late_is_not_accepted_from_the_cache(store, late, postgres_url):
    with closing(Worker(postgres_url, lag=LONG, grace=LONG, timeout=TIMEOUT)) as worker:
        text, key = worker.issue()
        late()

        assert worker.store.revoke_token(key) and not worker.accepts(text)
