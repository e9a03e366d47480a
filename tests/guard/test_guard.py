"""The guard: who may pass with which Authorization header (RFC 6750 §2, §3)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, bearer, issue
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import admin

MISSING = {"realm": "api"}


@pytest.fixture
def app(wrap, client):
    return wrap()


@pytest.fixture
def token(app):
    return issue(app)


@pytest.fixture
def get(app):
    """GET a protected path with this Authorization value, whatever it holds."""
    return lambda value, **keys: call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=value, **keys))


def test_no_credentials_are_401_with_a_challenge(app):  # B-01
    answer = app.get("/any", status=401)

    assert challenge_of(answer).scheme == "Bearer"
    assert challenge_of(answer).parameters == MISSING


@pytest.mark.parametrize("value", [None, "", " ", "Token x", "Negotiate abc", "Digest a=b", basic("tester", SECRET)])
def test_without_a_bearer_token_the_challenge_has_no_error(get, value):  # B-01b, B-08
    answer = get(value["Authorization"] if isinstance(value, dict) else value)

    assert (answer.status, challenge_of(answer)) == (401, ("Bearer", MISSING))
    assert b"error" not in answer.body


def test_the_realm_is_an_option(wrap):  # B-01
    answer = wrap(realm="the vault, 2nd floor").get("/any", status=401)

    assert challenge_of(answer).parameters == {"realm": "the vault, 2nd floor"}


def test_a_valid_token_reaches_the_app(app, token):  # B-02
    assert app.get("/any", headers=bearer(token)).text == "MARKER tester read write"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_any_case(get, token, scheme):  # B-03
    assert get(f"{scheme} {token}").status == 200


@pytest.mark.parametrize("value", ["Bearer  {}", "Bearer     {}", "Bearer {} ", "Bearer {}\t ", "bearer  {}  "])
def test_white_space_around_the_token_is_tolerated(get, token, value):  # B-07
    assert get(value.format(token)).status == 200


def test_an_unknown_token_is_invalid(get, token):  # B-04
    answer = get("Bearer " + token[:-4] + "AAAA")

    assert answer.status == 401
    assert challenge_of(answer).parameters["error"] == "invalid_token"


def test_an_expired_token_is_invalid(app, get, token, clock):  # B-04, B-12
    clock.move(3600)
    answer = get(f"Bearer {token}")

    assert (answer.status, challenge_of(answer).parameters["error"]) == (401, "invalid_token")


def test_a_revoked_token_is_invalid(app, get, token):  # B-04
    app.post("/oauth/revoke", {"token": token}, headers=basic("tester", SECRET))
    answer = get(f"Bearer {token}")

    assert (answer.status, challenge_of(answer).parameters["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("end", [admin.disable_client, admin.delete_client, admin.revoke_all_tokens])
def test_a_token_of_a_client_that_was_ended_is_invalid(app, get, store, token, end):  # B-04
    get(f"Bearer {token}")
    end(store, "tester")

    assert challenge_of(get(f"Bearer {token}")).parameters["error"] == "invalid_token"


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_expiry_is_checked_to_the_second_on_each_use(wrap, client, clock, cached):  # B-12
    app = wrap(access_token_lifetime=5)
    token = issue(app)
    clock.move(4)
    if cached:
        app.get("/any", headers=bearer(token), status=200)

    clock.move(1)
    app.get("/any", headers=bearer(token), status=401)


@pytest.mark.parametrize("what", ["tester", SECRET, f"tester:{SECRET}", basic("tester", SECRET)["Authorization"][6:]])
def test_client_credentials_open_nothing(get, client, what):  # B-08, B-16
    assert get(f"Bearer {what}").status == get(f"Basic {what}").status == 401


@pytest.mark.parametrize(
    "value",
    ["Bearer {good},Bearer {bad}", "Bearer {bad}, Bearer {good}", "Bearer {good},{good}", "Basic x, Bearer {good}"],
    ids=["good+bad", "bad+good", "joined", "Basic+good"],
)
def test_several_credentials_are_refused(get, token, value):  # B-09
    assert get(value.format(good=token, bad=token[::-1])).status in (400, 401)


def test_a_token_in_the_query_is_not_accepted(app, token):  # B-10
    for name in ("access_token", "token", "bearer_token", "Authorization"):
        answer = app.get(f"/any?{name}={token}", status=401)
        assert challenge_of(answer).parameters == MISSING


def test_a_token_in_a_form_is_not_accepted(app, token):  # B-10
    app.post("/any", {"access_token": token}, status=401)


@pytest.mark.parametrize(
    "key",
    [
        "HTTP_COOKIE",
        "HTTP_X_AUTHORIZATION",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_X_FORWARDED_AUTHORIZATION",
        "HTTP_X_ORIGINAL_AUTHORIZATION",
        "HTTP_HTTP_AUTHORIZATION",
        "HTTP_X_ACCESS_TOKEN",
        "HTTP_ACCESS_TOKEN",
        "REDIRECT_HTTP_AUTHORIZATION",
        "AUTHORIZATION",
    ],
)
def test_a_token_elsewhere_is_not_accepted(app, token, key):  # B-11
    for value in (f"Bearer {token}", token, f"access_token={token}; Authorization=Bearer {token}"):
        assert call(app.app, make_environ("GET", "/any", **{key: value})).status == 401


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "FOO"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_guarded(app, token, method):  # B-13, H-16
    answer = call(app.app, make_environ(method, "/any"))

    assert (answer.status, b"MARKER" in answer.body) == (401, False)
    assert call(app.app, make_environ(method, "/any", HTTP_AUTHORIZATION=f"Bearer {token}")).status == 200
