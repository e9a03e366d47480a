"""What the token endpoint answers (RFC 6749 §5)."""

from __future__ import annotations

import re
from math import ceil, floor

import pytest

from helpers.jwts import JWT
from helpers.support import CC, SECRET, TESTER, basic, bearer, issue, one_store
from oauth_mw import admin
from oauth_mw.model import MAX_LIFETIME

pytestmark = one_store

REQUESTS = {
    "wrong secret": (CC, basic("tester", "no" + SECRET), 401),
    "no credentials": (CC, {}, 401),
    "no grant type": ({}, TESTER, 400),
    "another grant type": ({"grant_type": "foo"}, TESTER, 400),
    "another scope": ({**CC, "scope": "nope"}, TESTER, 400),
    "twice": ([*CC.items(), *CC.items()], TESTER, 400),
    "too large": ({**CC, "x": "y" * 70_000}, TESTER, 413),
}


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", "*/*;q=0", "garbage"])
def test_the_answer_is_one_flat_json_object_that_is_not_cached(app, accept):  # T-02, T-03, T-04
    headers = {**TESTER, "Accept": accept, "Accept-Encoding": "gzip"}
    answer = app.post("/oauth/token", CC, headers=headers)

    assert answer.content_type == "application/json"
    assert {**answer.json, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 3600, "scope": "read write"
    }  # fmt: skip
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


def test_the_lifetime_is_an_integer(wrap, client):  # T-02b, T-25
    answer = wrap(access_token_lifetime=600).post("/oauth/token", CC, headers=TESTER)

    assert type(answer.json["expires_in"]) is int and b'"expires_in": 600,' in answer.body


@pytest.mark.parametrize("lifetime", [1, 600, MAX_LIFETIME])
def test_the_lifetime_of_the_client_comes_first(wrap, store, clock, lifetime):  # T-25
    admin.add_client(store, "own", lifetime=lifetime, client_id="own", secret=SECRET, clock=clock)
    app = wrap(access_token_lifetime=60)
    token = issue(app, "own")

    clock.move(lifetime - 1)
    app.get("/any", headers=bearer(token), status=200)
    clock.move(1)
    app.get("/any", headers=bearer(token), status=401)


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
@pytest.mark.parametrize("fraction", [0, 0.001, 0.5, 0.97, 0.999999])
def test_a_token_is_good_for_all_of_the_reported_lifetime(wrap, client, clock, fraction, options):  # T-02b, B-12
    clock.move(fraction)
    app = wrap(access_token_lifetime=1, **options)
    answer = app.post("/oauth/token", CC, headers=TESTER).json

    statuses = []
    for seconds in (answer["expires_in"] - 0.0001, 1.0001):
        clock.move(seconds)
        statuses.append(app.get("/any", headers=bearer(answer["access_token"]), expect_errors=True).status_int)

    assert (answer["expires_in"], statuses) == (1, [200, 401])


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
@pytest.mark.parametrize("fraction", [0, 0.25, 0.75])
def test_the_times_of_a_token_are_the_whole_seconds_around_its_life(wrap, client, clock, fraction, options):
    clock.move(fraction)
    app = wrap(access_token_lifetime=2, **options)
    token = app.post("/oauth/token", CC, headers=TESTER).json["access_token"]

    found = app.post("/oauth/introspect", {"token": token}, headers=TESTER).json
    assert (found["iat"], found["exp"]) == (floor(clock()), ceil(clock() + 2))


@pytest.mark.parametrize(("form", "headers", "status"), REQUESTS.values(), ids=REQUESTS)
def test_an_error_is_json_that_is_not_cached(app, form, headers, status):  # T-03c, T-15
    answer = app.post("/oauth/token", form, headers=headers, status=status)

    assert answer.content_type == "application/json"
    assert answer.json.keys() == {"error", "error_description"}
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


ODD_TEXTS = ['"\\"', "a\r\nSet-Cookie: x=y", "äöü", "\N{GRINNING FACE}", "<script>alert(1)</script>", "\x01\x7f"]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
@pytest.mark.parametrize("name", ["grant_type", "scope", "client_id"])
def test_odd_input_is_not_echoed(app, name, text):  # T-16, H-15
    answer = app.post("/oauth/token", {**CC, name: text}, headers=TESTER, status=400)

    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", answer.json["error"] + answer.json["error_description"])
    assert text not in answer.text


def test_tokens_are_unguessable(wrap, client):  # T-17
    app = wrap()
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
