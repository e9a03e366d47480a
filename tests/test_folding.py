"""A client that revokes more of its JWTs than anybody may remember ends all of them."""

from __future__ import annotations

import pickle

import pytest
from webob import Request

from helpers.builders import events_of
from helpers.jwts import JWT
from helpers.support import SECRET, basic, bearer
from oauth_mw import admin
from oauth_mw.model import MAX_LOG_ONLY_PER_CLIENT

pytestmark = pytest.mark.long


@pytest.fixture
def workers(wrap, client, store, clock):
    admin.add_client(store, "other", client_id="other", secret=SECRET, clock=clock)
    return [wrap(revocation_lag_seconds=0, **JWT).app for _ in range(2)]


def post(app, path, client_id="tester", **form):
    """Without WebTest, which would take most of the time."""
    return Request.blank(path, POST=form, headers=basic(client_id, SECRET)).get_response(app)


def issue(app, client_id="tester"):
    return post(app, "/oauth/token", client_id, grant_type="client_credentials").json["access_token"]


def opens(app, token):
    return Request.blank("/any", headers=bearer(token)).get_response(app).status_int == 200


def memory(app):
    """How many bytes what the worker knows of ends takes, written down."""
    return len(pickle.dumps(app._guard.tokens.denylist._entries))


@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql", "redis"])
def test_more_than_anybody_may_remember_end_with_all_others_of_the_client(store_kind, store, workers, clock):
    one, another = workers
    spared, foreign = issue(one), issue(one, "other")
    assert all(opens(worker, token) for worker in workers for token in (spared, foreign))
    for _ in range(MAX_LOG_ONLY_PER_CLIENT):
        assert post(one, "/oauth/revoke", token=issue(one)).status_int == 200
    before = [opens(worker, token) for worker in workers for token in (spared, foreign)]
    most = [memory(worker) for worker in workers]

    assert post(one, "/oauth/revoke", token=issue(one)).status_int == 200

    after = [opens(worker, token) for worker in workers for token in (spared, foreign)]
    assert (before, after) == ([True] * 4, [False, True] * 2)
    assert [event[1:] for event in events_of(store)] == [("tester", None, False)]
    assert min(most) > 30 * MAX_LOG_ONLY_PER_CLIENT and max(memory(worker) for worker in workers) < 500
    assert all(opens(worker, issue(one)) for worker in workers)
