"""The token endpoint: its requests and answers (RFC 6749 §3.2, §4.4.2, §5)."""

from __future__ import annotations

import re
from math import ceil, floor

import pytest

from helpers.jwts import JWT
from helpers.support import CC, SECRET, TESTER, basic, bearer, issue, one_store
from helpers.wsgi_client import showing
from oauth_mw import admin, current_token
from oauth_mw.model import MAX_LIFETIME

pytestmark = one_store

# Written out here: what the code takes for single must not decide what is tested.
SINGLE = (
    "grant_type scope state client_id client_secret client_assertion client_assertion_type token token_type_hint"
).split()
OTHERS = ["password", "authorization_code", "refresh_token", "implicit", "foo"]
OTHERS += [f"urn:ietf:params:oauth:grant-type:{name}" for name in ("device_code", "jwt-bearer", "token-exchange")]
GRANT_TYPES = {
    "other grants": (OTHERS, "unsupported_grant_type"),
    "capitals": (["Client_Credentials"], "unsupported_grant_type"),
    "white space": (["client_credentials ", " client_credentials", "client_credentials\n"], "unsupported_grant_type"),
    "look-alikes": (
        ["ｃlient_credentials", "client_credentiaſs", "client_credentials\u200b", "client-credentials"],
        "unsupported_grant_type",
    ),
    "lists": (["client_credentials password", "client_credentials,client_credentials"], "unsupported_grant_type"),
    "prefix": (["client_credential"], "unsupported_grant_type"),
    "NUL": (["client_credentials\0"], "invalid_request"),
    "empty": ([""], "invalid_request"),
}


@pytest.mark.parametrize(("grant_types", "error"), GRANT_TYPES.values(), ids=GRANT_TYPES)
def test_the_grant_type_is_compared_exactly(app, grant_types, error):  # T-07, T-08, T-09
    for grant_type in grant_types:
        answer = app.post("/oauth/token", {"grant_type": grant_type}, headers=TESTER, status=400)
        assert answer.json["error"] == error


@pytest.mark.parametrize("form", [{}, {"scope": "read"}], ids=["empty body", "missing"])
def test_without_a_grant_type_the_request_is_invalid(app, form):  # T-07
    assert app.post("/oauth/token", form, headers=TESTER, status=400).json["error"] == "invalid_request"


@pytest.mark.parametrize("name", SINGLE)
def test_a_parameter_of_the_protocol_sent_twice_is_invalid(app, name):  # T-10
    for first, second in (("x", "x"), ("x", "y"), ("x", ""), ("", "x"), ("", ""), ["client_credentials"] * 2):
        form = [*({**CC, name: first}).items(), (name, second)]
        assert app.post("/oauth/token", form, headers=TESTER, status=400).json["error"] == "invalid_request"


EXTRA = {
    "unknown": [("foo", "bar")],
    "unknown twice": [("foo", "a"), ("foo", "b")],
    "near": [("Grant_Type", "password"), ("grant_type[]", "password"), ("grant_type ", "password")],
    "other grants'": [("refresh_token", "x"), ("username", "u"), ("password", "p"), ("code", "c")],
}


@pytest.mark.parametrize("extra", EXTRA.values(), ids=EXTRA)
def test_unknown_parameters_are_ignored(app, extra):  # T-11
    app.post("/oauth/token", [*CC.items(), *extra], headers=TESTER, status=200)


@pytest.mark.parametrize(
    "form", [{"grant_type": "foo"}, {**CC, "scope": "nope"}, {**CC, "resource": "/v1"}, {"scope": "\ttab"}, {"a": "b"}]
)
def test_the_client_is_authenticated_first(app, form):  # T-24
    answer = app.post("/oauth/token", form, headers=basic("tester", "wrong" + SECRET), status=401)

    assert answer.json["error"] == "invalid_client"


def test_a_client_that_may_not_use_this_grant_is_unauthorized(wrap, store):  # T-18
    admin.add_client(store, "billing", client_id="billing", secret=SECRET, resource_server=True)

    answer = wrap().post("/oauth/token", CC, headers=basic("billing", SECRET), status=400)

    assert answer.json["error"] == "unauthorized_client"


@pytest.mark.parametrize("accept", ["*/*", "text/html", "*/*;q=0", "garbage"])
def test_the_answer_is_one_flat_json_object_that_is_not_cached(app, accept):  # T-02, T-03, T-04
    headers = {**TESTER, "Accept": accept, "Accept-Encoding": "gzip"}
    answer = app.post("/oauth/token", CC, headers=headers)

    assert answer.content_type == "application/json"
    assert {**answer.json, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 3600, "scope": "read write"
    }  # fmt: skip
    assert b'"expires_in": 3600,' in answer.body
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("lifetime", [1, MAX_LIFETIME])
def test_the_lifetime_of_the_client_comes_first(wrap, store, clock, lifetime):  # T-25
    admin.add_client(store, "own", lifetime=lifetime, client_id="own", secret=SECRET, clock=clock)
    app = wrap(access_token_lifetime=60)
    token = issue(app, "own")

    clock.move(lifetime - 1)
    app.get("/any", headers=bearer(token), status=200)
    clock.move(1)
    app.get("/any", headers=bearer(token), status=401)


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
@pytest.mark.parametrize("fraction", [0, 0.25, 0.999999])
def test_a_token_is_good_for_all_of_the_reported_lifetime(wrap, client, clock, fraction, options):  # T-02b, B-12
    clock.move(fraction)
    app = wrap(access_token_lifetime=1, **options)
    answer = app.post("/oauth/token", CC, headers=TESTER).json
    told = app.post("/oauth/introspect", {"token": answer["access_token"]}, headers=TESTER).json
    whole_seconds_around = floor(clock()), ceil(clock() + 1)

    statuses = []
    for seconds in (0.9999, 1.0001):
        clock.move(seconds)
        statuses.append(app.get("/any", headers=bearer(answer["access_token"]), expect_errors=True).status_int)

    assert (answer["expires_in"], statuses) == (1, [200, 401])
    assert (told["iat"], told["exp"]) == whole_seconds_around


REQUESTS = {
    "wrong secret": (CC, basic("tester", "no" + SECRET), 401),
    "no credentials": (CC, {}, 401),
    "no grant type": ({}, TESTER, 400),
    "another grant type": ({"grant_type": "foo"}, TESTER, 400),
    "another scope": ({**CC, "scope": "nope"}, TESTER, 400),
    "too large": ({**CC, "x": "y" * 70_000}, TESTER, 413),
}


@pytest.mark.parametrize(("form", "headers", "status"), REQUESTS.values(), ids=REQUESTS)
def test_an_error_is_json_that_is_not_cached(app, form, headers, status):  # T-03c, T-15
    answer = app.post("/oauth/token", form, headers=headers, status=status)

    assert answer.content_type == "application/json"
    assert answer.json.keys() == {"error", "error_description"}
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


ODD_TEXTS = ['"\\"', "a\r\nSet-Cookie: x=y", "äöü", "\N{GRINNING FACE}", "<script>alert(1)</script>", "\x01\x7f"]


@pytest.mark.parametrize("name", ["grant_type", "scope", "client_id"])
def test_odd_input_is_not_echoed(app, name):  # T-16, H-15
    for text in ODD_TEXTS:
        answer = app.post("/oauth/token", {**CC, name: text}, headers=TESTER, status=400)
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", "".join(answer.json.values()))
        assert text not in answer.text


def test_tokens_are_unguessable(app):  # T-17
    tokens = {issue(app) for _ in range(60)}

    assert len(tokens) == 60
    assert all(re.fullmatch(r"[A-Za-z0-9._~+/-]{22,}=*", token) for token in tokens)
    # Four bytes of expiry are alike; nothing of the 32 random ones behind them is.
    assert len({token[6:16] for token in tokens}) == len({token[-16:] for token in tokens}) == 60


def test_a_token_is_the_prefix_and_48_characters_and_another_prefix_stays_good(wrap, client):  # T-25
    token = issue(wrap(token_prefix="acme_"))

    assert re.fullmatch(r"acme_[A-Za-z0-9_-]{48}", token)
    wrap(token_prefix="new_").get("/any", headers=bearer(token), status=200)


@pytest.mark.parametrize("state", ["xyz", "", " a b ", "\"'\\<>&=+%41", "x" * 512])
def test_state_comes_back_unchanged(app, state):
    answer = app.post("/oauth/token", {**CC, "state": state}, headers=TESTER)

    assert answer.json.get("state", "") == state


@pytest.mark.parametrize("state", ["x" * 513, "a\tb", "a\x00b", "ä", "a\x7f"], ids=["long", "tab", "NUL", "ä", "DEL"])
def test_state_that_is_long_or_not_printable_is_invalid(app, state):
    answer = app.post("/oauth/token", {**CC, "state": state}, headers=TESTER, status=400)

    assert (answer.json["error"], "state" in answer.json) == ("invalid_request", False)


INSIDE = {"tenant": "north", "tier": 3, "trial": False, "rate": 1.5}
PUBLIC = {"display-name": "Nightly ☾", "quota": 10, "beta": True, "x.y_z": 0.25}


# An app that answers with the attributes of the token.
show_attributes = showing(lambda environ: dict(current_token(environ).attributes))


@pytest.fixture
def issued(wrap, store, clock):
    """The token endpoint's answer to a client with attributes."""
    attributes = {"attributes": INSIDE, "public_attributes": PUBLIC}
    admin.add_client(store, "a", scope="read", client_id="a", secret=SECRET, clock=clock, **attributes)
    return wrap().post("/oauth/token", CC, headers=basic("a", SECRET)).json


def test_the_app_sees_all_attributes_and_answers_show_the_public_ones(wrap, issued):  # B-17
    seen = wrap(show_attributes).get("/any", headers=bearer(issued["access_token"])).json
    told = wrap().post("/oauth/introspect", {"token": issued["access_token"]}, headers=basic("a", SECRET)).json

    assert {name: (value, type(value)) for name, value in seen.items()} == {
        name: (value, type(value)) for name, value in (INSIDE | PUBLIC).items()
    }
    assert issued.keys() == {"access_token", "token_type", "expires_in", "scope", *PUBLIC}
    for shown in (issued, told):
        assert {name: shown[name] for name in PUBLIC} == PUBLIC and not INSIDE.keys() & shown.keys()


def test_attributes_are_those_of_the_time_of_issue(wrap, store, issued):
    admin.update_client(store, "a", attributes={"tenant": "south"})
    app = wrap(show_attributes)
    later = app.post("/oauth/token", CC, headers=basic("a", SECRET)).json

    assert app.get("/any", headers=bearer(issued["access_token"])).json["tenant"] == "north"
    assert app.get("/any", headers=bearer(later["access_token"])).json["tenant"] == "south"


def test_attributes_cannot_be_changed_by_the_app(wrap, issued):  # B-20
    def tamper(environ, start_response):
        current_token(environ).attributes["tenant"] = "mine"

    with pytest.raises(TypeError, match="item assignment"):
        wrap(tamper).get("/any", headers=bearer(issued["access_token"]))
