"""Introspection (RFC 7662)."""

from __future__ import annotations

from math import ceil

import pytest

from helpers.support import CC, SECRET, TESTER, basic, bearer, issue, one_store
from helpers.wsgi_client import challenge_of, post_form
from oauth_mw import admin

pytestmark = one_store

PATH = "/oauth/introspect"
INACTIVE = b'{"active": false}'


def introspect(app, token, headers=TESTER, **form):
    return app.post(PATH, {"token": token, **form}, headers=headers, expect_errors=True)


def test_a_live_token_is_told_as_it_was_issued(app, clock):  # I-01, I-02
    clock.move(0.9)
    issued = app.post("/oauth/token", CC, headers=TESTER).json
    told = introspect(app, issued["access_token"])

    assert told.content_type == "application/json"
    assert told.json == {
        "active": True, "client_id": "tester", "sub": "tester", "token_type": issued["token_type"],
        "scope": issued["scope"], "iat": int(clock()), "exp": ceil(clock() + issued["expires_in"]),
    }  # fmt: skip
    assert [type(told.json[name]) for name in ("active", "iat", "exp")] == [bool, int, int]
    app.get("/any", headers=bearer(issued["access_token"]), status=200)


def test_a_token_without_scope_has_no_scope_member(app, store):  # I-02
    admin.add_client(store, "none", client_id="none", secret=SECRET)
    told = introspect(app, issue(app, "none"), basic("none", SECRET)).json

    assert told["active"] is True
    assert "scope" not in told


ENDS = {
    "expired": lambda app, store, clock, token: clock.move(3600),
    "revoked": lambda app, store, clock, token: app.post("/oauth/revoke", {"token": token}, headers=TESTER),
    "revoked with all": lambda app, store, clock, token: admin.revoke_all_tokens(store, "tester"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_dead_token_is_inactive_and_nothing_else(app, store, clock, token, end):  # I-02, I-03
    end(app, store, clock, token)

    answer = introspect(app, token)
    assert (answer.status_int, answer.body) == (200, INACTIVE)
    app.get("/any", headers=bearer(token), status=401)


def test_a_token_of_a_disabled_client_is_inactive_to_a_resource_server(app, store, token):  # I-02, I-03
    admin.add_client(store, "rs", client_id="rs", secret=SECRET, resource_server=True)
    admin.disable_client(store, "tester")

    assert introspect(app, token, basic("rs", SECRET)).body == INACTIVE


def test_expiry_counts_to_the_second(app, token, clock):  # I-02, B-12
    clock.move(3599)
    assert introspect(app, token).json["active"] is True
    clock.move(1)
    assert introspect(app, token).body == INACTIVE


@pytest.mark.parametrize("who", ["nobody", "wrong secret", "unknown", "the token"])
def test_without_authentication_nothing_is_told(app, token, who):  # I-04, I-05
    wrong, unknown = basic("tester", "no" + SECRET), basic("nobody", SECRET)
    headers = {"nobody": {}, "wrong secret": wrong, "unknown": unknown, "the token": bearer(token)}[who]
    answer, other = introspect(app, token, headers), introspect(app, "x", headers)

    assert (answer.status_int, answer.json["error"]) == (401, "invalid_client")
    assert challenge_of(answer).scheme == "Basic" and "active" not in answer.text
    assert (other.status, str(other.headers), other.body) == (answer.status, str(answer.headers), answer.body)


@pytest.mark.parametrize("body", [b"x=y", b"token=", b"token=a&token=a", b"token=a&token=b", b"token_type_hint=a"])
def test_without_exactly_one_token_the_request_is_invalid(app, body):  # I-06, I-14
    answer = post_form(app.app, body, PATH, HTTP_AUTHORIZATION=TESTER["Authorization"])

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)


def test_a_token_in_the_query_does_not_count(app, token):  # I-15
    answer = app.post(f"{PATH}?token={token}", {"x": "y"}, headers=TESTER, status=400)

    assert answer.json["error"] == "invalid_request"


def test_the_query_changes_nothing(app, token):  # I-15
    assert app.post(f"{PATH}?token=x", {"token": token}, headers=TESTER).json["active"] is True


def test_a_client_sees_only_its_own_tokens(app, store, token):  # I-09
    admin.add_client(store, "two", scope="read", client_id="two", secret=SECRET)

    assert introspect(app, token, basic("two", SECRET)).body == INACTIVE
    assert introspect(app, issue(app, "two")).body == INACTIVE


def test_a_resource_server_sees_every_token(app, store, token):  # I-09
    admin.add_client(store, "rs", client_id="rs", secret=SECRET, resource_server=True)

    assert introspect(app, token, basic("rs", SECRET)).json["client_id"] == "tester"


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "foo", ""])
def test_a_hint_changes_nothing(app, token, hint):  # I-10
    assert introspect(app, token, token_type_hint=hint).json["active"] is True


def test_answers_are_kept_by_nobody(app, token):  # I-11
    answers = [introspect(app, token), introspect(app, "x"), introspect(app, "x", {}), introspect(app, "")]

    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


NO_TOKENS = {
    "unknown": ["x", "unknown-token", "_" * 48, "A" * 48],
    "a JWT with alg none": ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0ZXIifQ."],
    "odd characters": ["tökén", "' OR '1'='1", "%"],
}


@pytest.mark.parametrize("texts", NO_TOKENS.values(), ids=NO_TOKENS)
def test_what_is_no_token_is_inactive_and_nothing_else(app, texts):  # I-03, I-12
    assert {(answer.status_int, answer.body) for answer in (introspect(app, text) for text in texts)} == {
        (200, INACTIVE)
    }


@pytest.mark.parametrize("text", ["x" * 100_000, "x" * 60_000, "a\0b"], ids=["100 kB", "60 kB", "NUL"])
def test_an_odd_token_is_inactive_or_invalid(app, text):  # I-12
    answer = introspect(app, text)

    assert answer.status_int in (400, 413) or answer.body == INACTIVE


def test_a_near_miss_is_inactive(app, token):  # I-12, B-05
    for near in (token[:-1], token + "=", token + " ", token.swapcase(), token * 2, f"Bearer {token}"):
        assert introspect(app, near).body == INACTIVE


def test_introspection_can_be_off(wrap, client):
    app = wrap(introspection_path="off")

    assert challenge_of(app.post(PATH, {"token": "x"}, headers=TESTER, status=401)).scheme == "Bearer"
