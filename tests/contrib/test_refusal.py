"""``refusal``: what a view answers to a request that the guard has passed and the view does not want."""

from __future__ import annotations

import logging

import pytest

from helpers.support import bearer, echo, issue, revoked
from helpers.wsgi_client import PREFLIGHT, call, challenge_of, make_environ
from oauth_mw import AccessToken, OAuthMiddleware, any_of, forbidden, refusal

STORE_KINDS = ["memory"]

RULED = {"required_scopes": [("*", "/*", "write")]}


def needing(*needs):
    """An app with one view that needs this of a token."""
    return lambda environ, start_response: (refusal(environ, *needs) or echo)(environ, start_response)


@pytest.fixture
def logged(caplog):
    """The lines of the log, at INFO."""
    caplog.set_level(logging.INFO, "oauth_mw")
    return caplog


# How a request passes the guard without a scope that is enough, and what it sends.
PASSED = {
    "a public path": ({"public_paths": ["/any"]}, None),
    "a public path, whatever is sent": ({"public_paths": ["/any"]}, "Basic x"),
    "a delayed decision": ({"delay_auth_decision": True}, None),
    "a delayed decision about a bad token": ({"delay_auth_decision": True}, "Bearer unknown"),
    "a token": ({}, "Bearer {read}"),
    "a delayed decision about a token": ({"delay_auth_decision": True}, "Bearer {read}"),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("options", "value"), PASSED.values(), ids=PASSED)
def test_a_view_refuses_exactly_as_the_guard_does(wrap, client, options, value, method):  # S-11
    server = {"realm": "the vault", "issuer": "https://api.example", "audience": "https://api.example/v1"}
    view, guard = wrap(needing("write"), **server, **options), wrap(**server, **RULED)
    authorization = value and value.format(read=issue(view, scope="read"))
    environ = make_environ(method, "/any", HTTP_AUTHORIZATION=authorization)

    by_view, by_guard = call(view.app, dict(environ)), call(guard.app, dict(environ))

    assert by_view[:3] == by_guard[:3] and by_view.status in (401, 403)


@pytest.mark.parametrize(("options", "value"), PASSED.values(), ids=PASSED)
def test_the_refusal_is_reported_once_as_the_guards_is(wrap, client, logged, options, value):
    app = wrap(needing("write"), **options)
    authorization = value and value.format(read=issue(app, scope="read"))
    logged.clear()

    answer = call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=authorization))

    (record,) = logged.records
    error = challenge_of(answer).parameters.get("error", "missing_token")
    assert error in record.getMessage() and ("tester" in record.getMessage()) is (answer.status == 403)


def test_the_log_says_why_a_token_is_invalid_also_where_the_decision_is_delayed(wrap, client, logged):
    app = wrap(needing("write"), delay_auth_decision=True)
    token = issue(app)
    revoked(app, token)

    answer = call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}"))

    assert answer.status == 401
    assert ": revoked token; needed: write; client: tester (tester); token: " in logged.messages[-1]


def test_a_preflight_that_reaches_the_view_is_refused(wrap, client):  # B-13
    app = wrap(needing(), preflight=True)

    assert call(app.app, make_environ("OPTIONS", "/any", **PREFLIGHT)).status == 401


# What a view needs of a token with the scope "read write", and whether that is enough.
NEEDS = {
    "any token": ((), True),
    "one": (("read",), True),
    "all": (("read", "write"), True),
    "all, and one is missing": (("read", "admin"), False),
    "any of several": ((any_of("admin", "read"),), True),
    "any of others": ((any_of("admin", "root"),), False),
    "any of several, and another": ((any_of("admin", "read"), "admin"), False),
    "any of none": ((any_of(),), False),
    "two in one text": (("read write",), False),
    "an empty text": (("",), False),
}


@pytest.mark.parametrize(("needs", "enough"), NEEDS.values(), ids=NEEDS)
def test_a_view_needs_all_and_of_any_of_one(wrap, client, needs, enough):  # S-11
    app = wrap(needing(*needs))

    answer = app.get("/any", headers=bearer(issue(app)), status="*")

    assert answer.status_int == (200 if enough else 403)


def test_the_challenge_names_each_scope_once(wrap, client):  # S-11
    app = wrap(needing("admin", any_of("root", "admin")))

    answer = app.get("/any", headers=bearer(issue(app)), status=403)

    assert challenge_of(answer).parameters["scope"] == "admin root"


@pytest.mark.parametrize("scope", ['a"b', "a\r\nb", "ä", ""])
def test_a_scope_that_cannot_be_sent_is_one_that_no_token_has(wrap, client, logged, scope):  # H-15, S-06
    app = wrap(needing("read", scope))

    answer = app.get("/any", headers=bearer(issue(app)), status=403)

    assert "scope" not in challenge_of(answer).parameters
    assert "is not a scope" in logged.records[-1].getMessage()


@pytest.mark.parametrize(("outer", "inner"), [("/any", "/other"), ("/other", "/any"), ("/any", "/any")])
def test_of_two_servers_the_one_that_passed_the_request_last_refuses(wrap, store, client, outer, inner):
    """The inner one passes a token, or the request on a public path; the outer one does either."""
    inside = OAuthMiddleware(
        needing("admin"), store=store, public_paths=[inner], token_path="/inner/token", realm="inside"
    )
    app = wrap(inside, public_paths=[outer], realm="outside")

    answer = app.get("/any", headers=bearer(issue(app)), status=(401, 403))

    assert challenge_of(answer).parameters["realm"] == "inside"


@pytest.mark.parametrize("forged", ["forged", 1, None])
def test_without_a_middleware_a_view_is_closed_and_the_log_says_why(logged, forged):
    environ = {**make_environ("GET", "/any"), "oauth_mw.server": forged}

    answer = call(needing("read"), environ)

    assert (answer.status, challenge_of(answer).parameters) == (401, {"realm": "api", "scope": "read"})
    assert "no OAuthMiddleware" in logged.records[-1].getMessage()


def test_a_token_that_was_made_by_hand_is_read_as_any_other():
    token = AccessToken("tester", "read", frozenset(["read"]), "00", 0, 2**32 - 1)

    statuses = [call(needing(need), make_environ(**{"oauth_mw.token": token})).status for need in ("read", "write")]

    assert statuses == [200, 403]


def test_a_forged_key_is_replaced(wrap, client):  # B-18
    seen = []
    app = wrap(lambda *args: seen.append(args[0]["oauth_mw.server"].challenge) or echo(*args), public_paths=["/any"])

    call(app.app, make_environ("GET", "/any", **{"oauth_mw.server": "forged"}))

    assert seen == ['Bearer realm="api"']


def test_forbidden_names_the_server_on_a_public_path_too_and_is_reported(wrap, client, logged):  # S-11
    app = wrap(forbidden("admin"), public_paths=["/any"], realm="the vault")

    answer = app.get("/any", status=403)

    assert challenge_of(answer).parameters["realm"] == "the vault"
    assert ["insufficient_scope" in record.getMessage() for record in logged.records] == [True]
