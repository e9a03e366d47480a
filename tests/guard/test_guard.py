"""The guard: what passes with which Authorization header (RFC 6750 §2, §3)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, TESTER, bearer, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import admin

pytestmark = one_store

MISSING = {"realm": "api"}


@pytest.mark.parametrize("value", [None, "", " ", "Token x", "Negotiate abc", "Digest a=b", TESTER["Authorization"]])
def test_without_a_bearer_token_the_challenge_has_no_error(get, value):  # B-01, B-01b, B-08
    answer = get(value)

    assert (answer.status, challenge_of(answer)) == (401, ("Bearer", MISSING))
    assert b"error" not in answer.body and b"MARKER" not in answer.body


def test_the_realm_is_an_option(wrap):  # B-01
    answer = wrap(realm="the vault, 2nd floor").get("/any", status=401)

    assert challenge_of(answer).parameters == {"realm": "the vault, 2nd floor"}


def test_a_valid_token_reaches_the_app(app, token):  # B-02
    assert app.get("/any", headers=bearer(token)).text == "MARKER tester read write"


SPACED = ["Bearer  {}", "Bearer     {}", "Bearer {} ", "Bearer {}\t ", "bearer  {}  "]


@pytest.mark.parametrize("value", ["Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", *SPACED])
def test_the_scheme_has_any_case_and_white_space_around_the_token_is_tolerated(get, token, value):  # B-03, B-07
    assert get(value.format(token)).status == 200


ENDS = {
    "expired": lambda app, store, clock, token: clock.move(3600),  # B-12
    "revoked": lambda app, store, clock, token: app.post("/oauth/revoke", {"token": token}, headers=TESTER),
    "disabled": lambda app, store, clock, token: admin.disable_client(store, "tester"),
    "deleted": lambda app, store, clock, token: admin.delete_client(store, "tester"),
    "revoked with all": lambda app, store, clock, token: admin.revoke_all_tokens(store, "tester"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_token_that_is_no_more_is_invalid(app, get, store, clock, token, end):  # B-04
    get(f"Bearer {token}")
    end(app, store, clock, token)
    answers = [get(f"Bearer {token}"), get("Bearer " + token[:-4] + "AAAA")]

    assert [(each.status, challenge_of(each).parameters["error"]) for each in answers] == [(401, "invalid_token")] * 2


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_expiry_is_checked_to_the_second_on_each_use(wrap, client, clock, cached):  # B-12
    app = wrap(access_token_lifetime=5)
    token = issue(app)
    clock.move(4)
    if cached:
        app.get("/any", headers=bearer(token), status=200)

    clock.move(1)
    app.get("/any", headers=bearer(token), status=401)


@pytest.mark.parametrize("what", ["tester", SECRET, f"tester:{SECRET}", TESTER["Authorization"][6:]])
def test_client_credentials_open_nothing(get, what):  # B-08, B-16
    assert get(f"Bearer {what}").status == get(f"Basic {what}").status == 401


@pytest.mark.parametrize(
    "value",
    ["Bearer {good},Bearer {bad}", "Bearer {bad}, Bearer {good}", "Bearer {good},{good}", "Basic x, Bearer {good}"],
    ids=["good+bad", "bad+good", "joined", "Basic+good"],
)
def test_several_credentials_are_refused(get, token, value):  # B-09
    assert get(value.format(good=token, bad=token[::-1])).status in (400, 401)


def test_a_token_in_the_query_or_a_form_is_not_accepted(app, token):  # B-10
    for name in ("access_token", "token", "bearer_token", "Authorization"):
        answer = app.get(f"/any?{name}={token}", status=401)
        assert challenge_of(answer).parameters == MISSING
    app.post("/any", {"access_token": token}, status=401)


ELSEWHERE = """
    HTTP_COOKIE HTTP_X_AUTHORIZATION HTTP_PROXY_AUTHORIZATION HTTP_X_FORWARDED_AUTHORIZATION AUTHORIZATION
    HTTP_X_ORIGINAL_AUTHORIZATION HTTP_HTTP_AUTHORIZATION HTTP_X_ACCESS_TOKEN HTTP_ACCESS_TOKEN
    REDIRECT_HTTP_AUTHORIZATION
""".split()


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_token_elsewhere_is_not_accepted(app, token, key):  # B-11
    for value in (f"Bearer {token}", token, f"access_token={token}; Authorization=Bearer {token}"):
        assert call(app.app, make_environ("GET", "/any", **{key: value})).status == 401


METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT get PROPFIND FOO".split()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_guarded(app, token, method):  # B-13, H-16
    answer = call(app.app, make_environ(method, "/any"))

    assert (answer.status, b"MARKER" in answer.body) == (401, False)
    assert call(app.app, make_environ(method, "/any", HTTP_AUTHORIZATION=f"Bearer {token}")).status == 200
