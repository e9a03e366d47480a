"""Positions are PostgreSQL's time, and requests query it no more often than the pages say."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.builders import HOUR, log_of
from helpers.changes import end_client
from helpers.relay import relayed
from helpers.support import SECRET, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store

SECONDS = "SELECT extract(epoch FROM clock_timestamp())::float8"
REQUESTS = 20


@pytest.fixture(scope="module")
def postgres(own_postgres):
    return own_postgres


def test_positions_are_the_time_of_postgresql_and_not_the_workers(postgres_url, elsewhere, raw, monkeypatch):
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() - HOUR)
    with closing(open_store(postgres_url, clock=time.time)) as store:
        (before,) = raw(SECONDS)
        end_client(store, "tester")
        (after,) = raw(SECONDS)

        assert before <= log_of(store).position / 1_000_000 <= after


@pytest.mark.parametrize(("lag", "questions"), [(0, REQUESTS), (60, 0)])
def test_an_accepted_request_queries_once_without_a_lag_and_else_not_at_all(postgres_url, lag, questions):
    with relayed(postgres_url) as relay:
        with closing(open_store(postgres_url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        app = CheckedApp(OAuthMiddleware(echo, store=relay.url, revocation_lag_seconds=lag))
        token = issue(app)
        for _ in range(10):  # until the statement is prepared
            app.get("/", headers=bearer(token), status=200)
        relay.asked.clear()

        for _ in range(REQUESTS):
            app.get("/", headers=bearer(token), status=200)

        assert len(relay.asked) == questions
