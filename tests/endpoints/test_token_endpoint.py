"""What the token endpoint asks of a request (RFC 6749 §3.2, §4.4.2)."""

from __future__ import annotations

import pytest

from helpers.support import CC, SECRET, TESTER, basic, issue, one_store
from helpers.wsgi_client import challenge_of
from oauth_mw import admin

pytestmark = one_store

# Written out here: what the code holds for single must not decide what is tested.
SINGLE = (
    "grant_type scope state client_id client_secret client_assertion client_assertion_type token token_type_hint"
).split()


@pytest.mark.parametrize("form", [{}, {"scope": "read"}, {"grant_type": ""}], ids=["empty body", "missing", "empty"])
def test_without_a_grant_type_the_request_is_invalid(app, form):  # T-07
    assert app.post("/oauth/token", form, headers=TESTER, status=400).json["error"] == "invalid_request"


OTHERS = ["password", "authorization_code", "refresh_token", "implicit", "foo"]
OTHERS += [f"urn:ietf:params:oauth:grant-type:{name}" for name in ("device_code", "jwt-bearer", "token-exchange")]


@pytest.mark.parametrize("grant_type", OTHERS)
def test_another_grant_type_is_unsupported(app, grant_type):  # T-08
    answer = app.post("/oauth/token", {"grant_type": grant_type}, headers=TESTER, status=400)

    assert answer.json["error"] == "unsupported_grant_type"


NEAR_MISSES = {
    "capitals": ["Client_Credentials"],
    "white space": ["client_credentials ", " client_credentials", "client_credentials\n"],
    "NUL": ["client_credentials\0"],
    "look-alikes": ["ｃlient_credentials", "client_credentiaſs", "client_credentials\u200b", "client-credentials"],
    "lists": ["client_credentials password", "client_credentials,client_credentials"],
    "prefix": ["client_credential"],
}


@pytest.mark.parametrize("grant_types", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_the_grant_type_is_compared_exactly(app, grant_types):  # T-09
    for grant_type in grant_types:
        answer = app.post("/oauth/token", {"grant_type": grant_type}, headers=TESTER, status=400)
        assert answer.json["error"] in ("unsupported_grant_type", "invalid_request")


@pytest.mark.parametrize("name", SINGLE)
def test_a_parameter_of_the_protocol_sent_twice_is_invalid(app, name):  # T-10
    for first, second in (("x", "x"), ("x", "y"), ("x", ""), ("", "x"), ("", "")):
        form = [*({**CC, name: first}).items(), (name, second)]
        assert app.post("/oauth/token", form, headers=TESTER, status=400).json["error"] == "invalid_request"


def test_a_grant_type_sent_twice_is_invalid_even_when_both_are_right(app):  # T-10
    answer = app.post("/oauth/token", [*CC.items()] * 2, headers=TESTER, status=400)

    assert answer.json["error"] == "invalid_request"


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
    wrap().post("/oauth/token", [*CC.items(), *extra], headers=TESTER, status=200)


def test_credentials_and_a_grant_type_in_the_query_do_not_count(app):  # T-12
    unknown = app.post(f"/oauth/token?client_id=tester&client_secret={SECRET}", CC, status=401)
    invalid = app.post("/oauth/token?grant_type=client_credentials", {"scope": "read"}, headers=TESTER, status=400)

    assert (unknown.json["error"], invalid.json["error"]) == ("invalid_client", "invalid_request")


@pytest.mark.parametrize("query", ["scope=read", "grant_type=password", "%zz&scope=read&scope=write", "state=x"])
def test_the_query_changes_nothing(wrap, client, query):  # T-12
    answer = wrap().post(f"/oauth/token?{query}", CC, headers=TESTER, status=200)

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
    app.post("/v1/token", CC, headers=TESTER, status=200)

    assert challenge_of(app.post("/oauth/token", CC, status=401)).scheme == "Bearer"


def test_the_token_endpoint_can_be_off(wrap, client):
    answer = wrap(token_path="off").post("/oauth/token", CC, headers=TESTER, status=401)

    assert challenge_of(answer).scheme == "Bearer"


def test_the_next_request_after_a_refusal_works(wrap, client):  # L-06
    app = wrap()
    for body in (b"grant_type=%zz", b"\xff\xfe", b"grant_type=foo", b"=" * 70000):
        app.post("/oauth/token", body, headers=TESTER, expect_errors=True)

    assert issue(app)
