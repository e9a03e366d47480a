"""``preflight`` and ``delay_auth_decision``: what they open, and what they do not; and further checks of the guard."""

from __future__ import annotations

import json
import time

import pytest

from helpers.support import bearer, issue, one_store
from helpers.wsgi_client import PREFLIGHT, answering, call, make_environ, parse_challenges, showing
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.errors import InsufficientScope
from oauth_mw.guard import Guard
from oauth_mw.model import with_terms
from oauth_mw.rules import Rules, parse_rule
from oauth_mw.server import NO_SERVER
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

pytestmark = one_store

KEYS = ("oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token", "oauth_mw.error", "oauth_mw.denied", "REMOTE_USER")
RULES = [("GET", "/ruled", "read"), ("*", "/wide/*", "-")]


# An app that shows what it sees of the caller.
show_identity = showing(lambda environ: {key: str(environ[key]) for key in KEYS if key in environ})


def send(app, method="GET", path="/any", **keys):
    return call(app.app, make_environ(method, path, **keys))


@pytest.fixture
def preflight(wrap, client):
    return wrap(show_identity, preflight=True, required_scopes=RULES)


def test_a_preflight_passes_without_identity_where_the_option_says_so(wrap, preflight):  # B-13
    for path in ("/any", "/ruled", "/wide/x"):
        assert send(preflight, "OPTIONS", path, **PREFLIGHT).body == b"{}"
        assert send(wrap(), "OPTIONS", path, **PREFLIGHT).status == 401


NO_PREFLIGHT = {
    "no Origin": ("OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}),
    "no requested method": ("OPTIONS", {"HTTP_ORIGIN": "https://a.example"}),
    "plain OPTIONS": ("OPTIONS", {}),
    "lower case": ("options", PREFLIGHT),
    "GET": ("GET", PREFLIGHT),
    "POST": ("POST", PREFLIGHT),
    "overridden": ("POST", {**PREFLIGHT, "HTTP_X_HTTP_METHOD_OVERRIDE": "OPTIONS"}),
}


@pytest.mark.parametrize(("method", "keys"), NO_PREFLIGHT.values(), ids=NO_PREFLIGHT)
def test_what_is_no_preflight_is_guarded(preflight, method, keys):  # B-13
    assert send(preflight, method, **keys).status == 401


def test_a_preflight_on_an_ambiguous_path_is_refused(preflight):  # P-01
    assert send(preflight, "OPTIONS", "/wide/../ruled", **PREFLIGHT).status == 400


@pytest.fixture
def delayed(wrap, client):
    return wrap(show_identity, delay_auth_decision=True, remote_user=True, required_scopes=RULES)


ERRORS = {
    None: "missing_token",
    "": "missing_token",
    "Basic x": "missing_token",
    "Bearer": "invalid_token",
    "Bearer unknown": "invalid_token",
    "Bearer " + "A" * 48: "invalid_token",
}


@pytest.mark.parametrize(("value", "error"), ERRORS.items(), ids=map(str, ERRORS))
def test_a_request_without_a_good_token_passes_with_the_error_alone(delayed, value, error):
    forged = dict.fromkeys(KEYS, "forged")
    answer = send(delayed, HTTP_AUTHORIZATION=value, **forged)

    assert json.loads(answer.body) == {"oauth_mw.error": error}


def test_a_good_token_passes_as_always_and_an_expired_one_with_the_error_alone(delayed, clock):  # B-12
    token = bearer(issue(delayed))
    identity = delayed.get("/any", headers=token).json
    clock.move(3600)

    assert identity.keys() == {"oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token", "REMOTE_USER"}
    assert delayed.get("/any", headers=token).json == {"oauth_mw.error": "invalid_token"}


ENFORCED = [("GET", "/ruled"), ("GET", "/ruled/"), ("DELETE", "/ruled"), ("GET", "/wide/x")]


def test_rules_and_ambiguous_paths_are_enforced_as_always(delayed):  # S-11
    for value in (None, "Basic x", "Bearer unknown"):
        keys = {"HTTP_AUTHORIZATION": value}
        assert {send(delayed, method, path, **keys).status for method, path in ENFORCED} == {401}
        assert send(delayed, "GET", "/any/../ruled", **keys).status == 400
    delayed.get("/ruled", headers=bearer(issue(delayed, scope="write")), status=403)


def test_what_a_rule_for_the_rest_names_and_ambiguous_paths_are_not_left_to_the_app(wrap, client):  # P-01
    assert send(wrap(delay_auth_decision=True, required_scopes=[("*", "/*", "-")])).status == 401
    assert send(wrap(delay_auth_decision=True), "GET", "/a/../b").status == 401


INVALID = {"HTTP_AUTHORIZATION": "Bearer unknown"}
OWN = ("www-authenticate", 'Basic realm="mine"')
ANSWERS = {
    "a 401": ("401 Unauthorized", [], {}, 'Bearer realm="r"'),
    "a 401 to an invalid token": ("401 Unauthorized", [], INVALID, 'Bearer realm="r", error="invalid_token"'),
    "a 401 with a challenge": ("401 Unauthorized", [OWN], {}, None),
    **{f"a {status[:3]}": (status, [], {}, None) for status in ("200 OK", "403 Forbidden", "404 Not Found", "500 Oh")},
}


@pytest.mark.parametrize(("status", "headers", "keys", "added"), ANSWERS.values(), ids=ANSWERS)
def test_a_401_of_the_app_without_a_challenge_gets_ours_and_nothing_else_changes(wrap, status, headers, keys, added):
    answer = send(wrap(answering(status, headers), delay_auth_decision=True, realm="r"), **keys)
    ours = [("WWW-Authenticate", added)] if added else []

    assert answer.headers == dict([("Content-Type", "text/plain"), *headers, *ours])
    assert answer.body == b"the app's own"


def test_two_guards_challenge_once(wrap, store):
    inner = OAuthMiddleware(answering("401 Unauthorized"), store=store, delay_auth_decision=True, token_path="off")
    answer = wrap(inner, delay_auth_decision=True).get("/any", status=401)

    (value,) = answer.headers.getall("WWW-Authenticate")
    assert len(parse_challenges(value)) == 1


def test_a_401_of_the_app_is_left_alone_in_the_usual_mode(wrap, client):
    app = wrap(answering("401 Unauthorized", [OWN]))

    assert app.get("/any", headers=bearer(issue(app)), status=401).headers.getall("WWW-Authenticate") == [OWN[1]]


def only_get(environ, token):
    if environ["REQUEST_METHOD"] != "GET":
        raise InsufficientScope("not a GET", InsufficientScope.prepare("Bearer"), token.client_id)


def test_checks_run_in_order_where_the_scope_suffices_and_before_an_identity_is_set(store, clock):
    seen = []
    tokens = OpaqueTokens(store, clock, "")
    rules = Rules([parse_rule(("*", "/write", "write"))], [], {}, "refuse")
    checks = (lambda *given: seen.append(given), only_get)

    def read(text):
        return with_terms(tokens.read(text), checks, None)

    cache = TokenCache(read, store, size=10, lag=1, grace=0, timeout=1, monotonic=time.monotonic)
    guard = Guard(cache, clock, server=NO_SERVER)
    text = tokens.issue(admin.add_client(store, "tester", scope="read", clock=clock).client, ["read"], 60).text
    requests = [("GET", "/any"), ("POST", "/any"), ("GET", "/write")]
    passed, refused, little = (make_environ(*each, HTTP_AUTHORIZATION=f"Bearer {text}") for each in requests)

    guard.check(passed, rules.decide("GET", "/any"))
    for environ in (refused, little):
        with pytest.raises(InsufficientScope):
            guard.check(environ, rules.decide(environ["REQUEST_METHOD"], environ["PATH_INFO"]))

    assert seen == [(passed, passed["oauth_mw.token"]), (refused, passed["oauth_mw.token"])]
    assert "oauth_mw.token" not in refused
