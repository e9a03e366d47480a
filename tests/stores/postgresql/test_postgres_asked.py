"""What PostgreSQL is asked for: its own time, and no more often than the README says."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.builders import HOUR, log_of, registered
from helpers.changes import end_client
from helpers.engines import Postgres
from helpers.postgres_raw import Raw
from helpers.relay import Relay
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store

SECONDS = "SELECT extract(epoch FROM clock_timestamp())::float8"
REQUESTS = 20


def test_positions_are_the_time_of_postgresql_and_not_the_workers(postgres_url, monkeypatch):
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() - HOUR)
    with closing(open_store(postgres_url, create=True, clock=time.time)) as store, Raw(postgres_url) as raw:
        store.add_client(registered())
        (before,) = raw(SECONDS)
        end_client(store, "tester")
        (after,) = raw(SECONDS)

        assert before <= log_of(store).position / 1_000_000 <= after


@pytest.fixture
def relay():
    """Between the worker and a PostgreSQL that has a client."""
    with Postgres() as engine, Relay(engine.port) as relay:
        with closing(open_store(engine.url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        relay.url = engine.url.replace(str(engine.port), str(relay.port))
        yield relay


@pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))
@pytest.mark.parametrize(("lag", "questions"), [(0, REQUESTS), (60, 0)])
def test_an_accepted_request_asks_once_where_no_lag_is_allowed_and_else_not_at_all(relay, lag, questions):
    app = CheckedApp(OAuthMiddleware(echo, store=relay.url, revocation_lag_seconds=lag))
    token = issue(app)
    for _ in range(10):  # by now the statement is prepared
        app.get("/", headers=bearer(token), status=200)
    relay.asked.clear()

    for _ in range(REQUESTS):
        app.get("/", headers=bearer(token), status=200)

    assert len(relay.asked) == questions
