"""Introspection (RFC 7662), and which tokens a resource server sees (RFC 7662 §2.2, §4)."""

from __future__ import annotations

from math import ceil

import pytest
from webob import Request

from helpers.builders import API, BILLING, HOUR
from helpers.support import CC, SECRET, TESTER, basic, bearer, issue, one_store
from helpers.wsgi_client import post_form
from oauth_mw import admin
from oauth_mw.client_auth import ClientAuthentication
from oauth_mw.endpoints.introspection import IntrospectionEndpoint
from oauth_mw.tokens.opaque import OpaqueTokens

pytestmark = one_store

PATH = "/oauth/introspect"
INACTIVE = b'{"active": false}'


def introspect(app, token, headers=TESTER, **form):
    return app.post(PATH, {"token": token, **form}, headers=headers, expect_errors=True)


def test_a_live_token_is_shown_as_it_was_issued(app, clock):  # I-01, I-02
    clock.move(0.9)
    issued = app.post("/oauth/token", CC, headers=TESTER).json
    shown = introspect(app, issued["access_token"])

    assert (shown.content_type, shown.headers["Cache-Control"]) == ("application/json", "no-store")  # I-11
    assert shown.json == {
        "active": True, "client_id": "tester", "sub": "tester", "token_type": issued["token_type"],
        "scope": issued["scope"], "iat": int(clock()), "exp": ceil(clock() + issued["expires_in"]),
    }  # fmt: skip
    assert [type(shown.json[name]) for name in ("active", "iat", "exp")] == [bool, int, int]


ENDS = {
    "expired": lambda app, store, clock, token: clock.move(3600),
    "revoked": lambda app, store, clock, token: app.post("/oauth/revoke", {"token": token}, headers=TESTER),
    "revoked with all": lambda app, store, clock, token: admin.revoke_all_tokens(store, "tester"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_dead_token_is_inactive_and_nothing_else(app, store, clock, token, end):  # I-02, I-03, B-12
    clock.move(-0.5)
    assert introspect(app, token).json["active"] is True
    clock.move(0.5)
    end(app, store, clock, token)

    answer = introspect(app, token)
    assert (answer.status_int, answer.body) == (200, INACTIVE)
    app.get("/any", headers=bearer(token), status=401)


@pytest.fixture
def resource_server(store):
    """The credentials of a resource server."""
    admin.add_client(store, "rs", client_id="rs", secret=SECRET, resource_server=True)
    return basic("rs", SECRET)


def test_a_resource_server_sees_the_tokens_of_every_enabled_client(app, store, token, resource_server):  # I-02, I-09
    assert introspect(app, token, resource_server).json["client_id"] == "tester"

    admin.disable_client(store, "tester")
    assert introspect(app, token, resource_server).body == INACTIVE


def test_a_client_sees_only_its_own_tokens(app, store, token):  # I-09
    admin.add_client(store, "two", scope="read", client_id="two", secret=SECRET)

    assert introspect(app, token, basic("two", SECRET)).body == INACTIVE
    assert introspect(app, issue(app, "two")).body == INACTIVE


@pytest.mark.parametrize("path", [PATH, "/oauth/revoke"])
@pytest.mark.parametrize("body", [b"x=y", b"token=", b"token=a&token=a", b"token=a&token=b", b"token_type_hint=a"])
def test_without_exactly_one_token_in_the_body_the_request_is_invalid(app, path, body):  # I-06, I-14, I-15, R-03, R-10
    answer = post_form(app.app, body, path, HTTP_AUTHORIZATION=TESTER["Authorization"], QUERY_STRING="token=x")

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)


def test_neither_the_query_nor_a_hint_changes_anything(app, token):  # I-10, I-15
    for hint in ("refresh_token", "access_token", "foo", ""):
        answer = app.post(f"{PATH}?token=x", {"token": token, "token_type_hint": hint}, headers=TESTER)
        assert answer.json["active"] is True


ODD = ["x", "unknown-token", "_" * 48, "A" * 48, "x" * 60_000, "tökén", "' OR '1'='1", "%"]


def test_an_odd_token_or_a_near_miss_is_inactive_and_nothing_else(app, token):  # I-03, I-11, I-12, B-05
    near = [token[:-1], token + "=", token + " ", token.swapcase(), token * 2, f"Bearer {token}"]
    for text in [*ODD, *near, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0ZXIifQ."]:
        answer = introspect(app, text)
        assert (answer.status_int, answer.body, answer.headers["Cache-Control"]) == (200, INACTIVE, "no-store")


OTHER = "https://other.example.com"


@pytest.fixture
def show(store, clock, client):
    """What a server with an audience shows to the client ``who`` of a token of the client ``tester``."""

    def show(meant_for, *, who="rs", registered=(), server=(), resource_server=True):
        admin.add_client(
            store, "", client_id="rs", secret=SECRET, audiences=registered, resource_server=resource_server, clock=clock
        )
        tokens = OpaqueTokens(store, clock, "")
        authenticate = ClientAuthentication(store, ["client_secret_basic"], "api", clock).authenticate
        text = tokens.issue(store.find_client("tester"), (), HOUR, meant_for).text
        endpoint = IntrospectionEndpoint(authenticate, lambda text, caller: tokens.read(text), server)
        request = Request.blank("/", headers=basic(who, SECRET), POST={"token": text})
        return request.get_response(endpoint(request)).json

    return show


@pytest.mark.parametrize(
    ("meant_for", "aud"), [([API], API), ([BILLING, API], [BILLING, API]), ([], None)], ids=["one", "several", "none"]
)
def test_a_client_sees_its_own_tokens_with_their_audience(show, meant_for, aud):  # I-02, I-09
    shown = show(meant_for, who="tester", server=[OTHER])

    assert (shown["active"], shown.get("aud"), "scope" in shown) == (True, aud, False)


TOKENS = {
    "without audience": ([], {}, True),
    "for the registered one": ([API], {"registered": [API, BILLING]}, True),
    "also for the registered one": ([OTHER, API], {"registered": [API]}, True),
    "for the registered one, not the server's": ([BILLING], {"registered": [BILLING], "server": [API]}, True),
    "for the server's": ([API], {"server": [BILLING, API]}, True),
    "without audience, at the server": ([], {"server": [API]}, True),
    "for another one": ([BILLING], {"registered": [API]}, False),
    "for another one than the server's": ([BILLING], {"server": [API]}, False),
    "a slash more": ([f"{API}/"], {"registered": [API]}, False),
    "without audience, and another registered": ([], {"registered": [BILLING], "server": [API]}, False),
    "without audience, and no server named": ([], {"registered": [API]}, False),
    "a client, not a resource server": ([API], {"registered": [API], "resource_server": False}, False),
}


@pytest.mark.parametrize(("meant_for", "how", "seen"), TOKENS.values(), ids=TOKENS)
def test_a_resource_server_sees_tokens_that_are_for_it_and_no_others(show, meant_for, how, seen):  # I-03, I-09
    shown = show(meant_for, **how)

    assert shown["active"] is seen and (seen or shown == {"active": False})
