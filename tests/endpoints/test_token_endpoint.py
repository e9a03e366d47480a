"""What the token endpoint asks of a request (RFC 6749 §3.2, §4.4.2)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import admin

pytestmark = one_store

CC = {"grant_type": "client_credentials"}
FORM = "application/x-www-form-urlencoded"
# Written out here: what the code holds for single must not decide what is tested.
SINGLE = (
    "grant_type scope state client_id client_secret client_assertion client_assertion_type token token_type_hint"
).split()
METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "FOO"]


def test_an_authenticated_client_gets_a_token(wrap, client):  # T-01
    answer = wrap().post("/oauth/token", CC, headers=basic("tester", SECRET), status=200)

    assert answer.json["access_token"]


@pytest.mark.parametrize("method", METHODS)
def test_only_post_yields_a_token(wrap, client, method):  # T-05, T-06, H-16
    header = basic("tester", SECRET)["Authorization"]
    query = "grant_type=client_credentials"
    keys = {"HTTP_AUTHORIZATION": header, "QUERY_STRING": query, "CONTENT_TYPE": FORM}
    answer = call(wrap().app, make_environ(method, "/oauth/token", query.encode(), **keys))

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert b"access_token" not in answer.body


@pytest.mark.parametrize("form", [{}, {"scope": "read"}, {"grant_type": ""}], ids=["empty body", "missing", "empty"])
def test_without_a_grant_type_the_request_is_invalid(wrap, client, form):  # T-07
    answer = wrap().post("/oauth/token", form, headers=basic("tester", SECRET), status=400)

    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "authorization_code",
        "refresh_token",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "foo",
    ],
)
def test_another_grant_type_is_unsupported(wrap, client, grant_type):  # T-08
    answer = wrap().post("/oauth/token", {"grant_type": grant_type}, headers=basic("tester", SECRET), status=400)

    assert answer.json["error"] == "unsupported_grant_type"


NEAR_MISSES = {
    "capitals": "Client_Credentials",
    "space after": "client_credentials ",
    "space before": " client_credentials",
    "line feed": "client_credentials\n",
    "NUL": "client_credentials\0",
    "full width": "ｃlient_credentials",
    "ligature": "client_credentiaſs",
    "zero width": "client_credentials\u200b",
    "hyphen": "client-credentials",
    "list": "client_credentials password",
    "comma": "client_credentials,client_credentials",
    "prefix": "client_credential",
}


@pytest.mark.parametrize("grant_type", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_the_grant_type_is_compared_exactly(wrap, client, grant_type):  # T-09
    answer = wrap().post("/oauth/token", {"grant_type": grant_type}, headers=basic("tester", SECRET), status=400)

    assert answer.json["error"] in ("unsupported_grant_type", "invalid_request")


@pytest.mark.parametrize(
    ("first", "second"),
    [("x", "x"), ("x", "y"), ("x", ""), ("", "x"), ("", "")],
    ids=["equal", "different", "empty", "empty first", "both empty"],
)
@pytest.mark.parametrize("name", SINGLE)
def test_a_parameter_of_the_protocol_sent_twice_is_invalid(wrap, client, name, first, second):  # T-10
    form = [*({**CC, name: first}).items(), (name, second)]
    answer = wrap().post("/oauth/token", form, headers=basic("tester", SECRET), status=400)

    assert answer.json["error"] == "invalid_request"


def test_a_grant_type_sent_twice_is_invalid_even_when_both_are_right(wrap, client):  # T-10
    form = [("grant_type", "client_credentials")] * 2

    assert wrap().post("/oauth/token", form, headers=basic("tester", SECRET), status=400).json["error"] == (
        "invalid_request"
    )


@pytest.mark.parametrize(
    "extra",
    [
        [("foo", "bar")],
        [("foo", "a"), ("foo", "b")],
        [("Grant_Type", "password")],
        [("grant_type[]", "password")],
        [("grant_type ", "password")],
        [("refresh_token", "x"), ("username", "u"), ("password", "p"), ("code", "c")],
    ],
    ids=["unknown", "unknown twice", "capitals", "brackets", "trailing space", "other grants'"],
)
def test_unknown_parameters_are_ignored(wrap, client, extra):  # T-11
    wrap().post("/oauth/token", [*CC.items(), *extra], headers=basic("tester", SECRET), status=200)


def test_credentials_in_the_query_are_not_accepted(wrap, client):  # T-12
    answer = wrap().post(f"/oauth/token?client_id=tester&client_secret={SECRET}", CC, status=401)

    assert answer.json["error"] == "invalid_client"


def test_a_grant_type_in_the_query_does_not_count(wrap, client):  # T-12
    answer = wrap().post(
        "/oauth/token?grant_type=client_credentials", {"scope": "read"}, headers=basic("tester", SECRET), status=400
    )

    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize("query", ["scope=read", "grant_type=password", "%zz&scope=read&scope=write", "state=x"])
def test_the_query_changes_nothing(wrap, client, query):  # T-12
    answer = wrap().post(f"/oauth/token?{query}", CC, headers=basic("tester", SECRET), status=200)

    assert (answer.json["scope"], "state" in answer.json) == ("read write", False)


@pytest.mark.parametrize("form", [{"grant_type": "foo"}, {**CC, "scope": "nope"}, {"scope": "\ttab"}, {"a": "b"}])
def test_the_client_is_authenticated_first(wrap, client, form):  # T-24
    answer = wrap().post("/oauth/token", form, headers=basic("tester", "wrong" + SECRET), status=401)

    assert answer.json["error"] == "invalid_client"


def test_a_client_that_may_not_use_this_grant_is_unauthorized(wrap, store):  # T-18
    admin.add_client(store, "billing", client_id="billing", secret=SECRET, resource_server=True)

    answer = wrap().post("/oauth/token", CC, headers=basic("billing", SECRET), status=400)

    assert answer.json["error"] == "unauthorized_client"


def test_the_token_path_is_an_option(wrap, client):
    app = wrap(token_path="/v1/token")
    app.post("/v1/token", CC, headers=basic("tester", SECRET), status=200)

    assert challenge_of(app.post("/oauth/token", CC, status=401)).scheme == "Bearer"


def test_the_token_endpoint_can_be_off(wrap, client):
    answer = wrap(token_path="off").post("/oauth/token", CC, headers=basic("tester", SECRET), status=401)

    assert challenge_of(answer).scheme == "Bearer"


def test_the_next_request_after_a_refusal_works(wrap, client):  # L-06
    app = wrap()
    for body in (b"grant_type=%zz", b"\xff\xfe", b"grant_type=foo", b"=" * 70000):
        app.post("/oauth/token", body, headers=basic("tester", SECRET), expect_errors=True)

    assert issue(app)
