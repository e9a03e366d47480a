"""Checks that run once the token and its scope suffice: the seam for limits, allow-lists and bindings."""

from __future__ import annotations

import time

import pytest

from helpers.support import one_store
from helpers.wsgi_client import make_environ
from oauth_mw import admin
from oauth_mw.errors import InsufficientScope
from oauth_mw.guard import Guard
from oauth_mw.rules import Rules, parse_rule
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

CHALLENGE = "Bearer"

pytestmark = one_store


def only_get(environ, token):
    if environ["REQUEST_METHOD"] != "GET":
        raise InsufficientScope("not a GET", InsufficientScope.prepare(CHALLENGE), token.client_id)


def test_checks_run_in_order_where_the_scope_suffices_and_before_an_identity_is_set(store, clock):
    seen = []
    tokens = OpaqueTokens(store, clock, "", CHALLENGE)
    cache = TokenCache(tokens.read, store, size=10, lag=1, grace=0, timeout=1, monotonic=time.monotonic)
    rules = Rules([parse_rule(("*", "/write", "write"))], [], {}, "refuse")
    checks = [lambda *given: seen.append(given), only_get]
    guard = Guard(rules.decide, cache, clock, challenge=CHALLENGE, checks=checks)
    text, _ = tokens.issue(admin.add_client(store, "tester", scope="read", clock=clock).client, ["read"], 60)
    requests = [("GET", "/any"), ("POST", "/any"), ("GET", "/write")]
    passed, refused, little = (make_environ(*each, HTTP_AUTHORIZATION=f"Bearer {text}") for each in requests)

    guard(passed)
    for environ in (refused, little):
        with pytest.raises(InsufficientScope):
            guard(environ)

    assert seen == [(passed, passed["oauth_mw.token"]), (refused, passed["oauth_mw.token"])]
    assert "oauth_mw.token" not in refused
