"""Checks that run once the token and its scope suffice: the seam for limits, allow-lists and bindings."""

from __future__ import annotations

import time

import pytest

from helpers.support import bearer, one_store
from helpers.wsgi_client import make_environ
from oauth_mw import admin
from oauth_mw.errors import InsufficientScope
from oauth_mw.guard import Guard
from oauth_mw.rules import Rules, parse_rule
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

CHALLENGE = "Bearer"

pytestmark = one_store


@pytest.fixture
def seen():
    return []


@pytest.fixture
def guard(store, clock, seen):
    """A guard whose first check notes what it is given, and whose second refuses all but GET."""
    tokens = OpaqueTokens(store, clock, "", CHALLENGE)
    cache = TokenCache(tokens.read, store, size=10, lag=1, grace=0, timeout=1, monotonic=time.monotonic)
    rules = Rules([parse_rule(("*", "/write", "write"))], [], {}, "refuse")
    return Guard(rules.decide, cache, clock, challenge=CHALLENGE, checks=[lambda *given: seen.append(given), only_get])


def only_get(environ, token):
    if environ["REQUEST_METHOD"] != "GET":
        raise InsufficientScope("not a GET", InsufficientScope.prepare(CHALLENGE), token.client_id)


@pytest.fixture
def headers(store, clock):
    client = admin.add_client(store, "tester", scope="read", clock=clock).client
    text, _ = OpaqueTokens(store, clock, "", CHALLENGE).issue(client, ["read"], 60)
    return {"HTTP_AUTHORIZATION": bearer(text)["Authorization"]}


def test_a_check_sees_the_environ_and_the_token(guard, headers, seen):
    environ = make_environ("GET", "/any", **headers)

    guard(environ)

    assert seen == [(environ, environ["oauth_mw.token"])]


def test_a_check_that_refuses_leaves_no_identity(guard, headers):
    environ = make_environ("POST", "/any", **headers)

    with pytest.raises(InsufficientScope):
        guard(environ)

    assert "oauth_mw.token" not in environ


def test_no_check_runs_where_the_scope_does_not_suffice(guard, headers, seen):
    with pytest.raises(InsufficientScope):
        guard(make_environ("GET", "/write", **headers))

    assert seen == []
