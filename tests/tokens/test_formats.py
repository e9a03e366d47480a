"""Opaque tokens and JWTs, side by side behind one middleware."""

from __future__ import annotations

import pytest

from helpers.jwts import ISSUER, JWT, introspected, opens
from helpers.support import SECRET, TESTER, basic, bearer, issue
from helpers.wsgi_client import challenge_of
from oauth_mw import admin
from oauth_mw.tokens.jws import is_compact

BOTH = {"issuer": ISSUER}

STORE_KINDS = ["memory"]


@pytest.fixture
def app(wrap, client):
    return wrap(**JWT)


def test_a_jwt_opens_the_app_and_has_no_row(app, store):
    token = issue(app, scope="read")

    assert is_compact(token) and not any(map(is_compact, ("a" * 48, "a.b.c" + "x" * 43, "")))
    assert app.get("/any", headers=bearer(token)).text == "MARKER tester read"
    assert store.count_tokens() == 0


@pytest.mark.parametrize(("default", "own"), [("jwt", "opaque"), ("opaque", "jwt")])
def test_a_client_may_have_a_format_of_its_own(wrap, client, store, default, own):
    admin.update_client(store, "tester", token_format=own)
    app = wrap(issuer=ISSUER, token_format=default)

    token = issue(app)

    assert is_compact(token) is (own == "jwt") and opens(app, token)


# Options of the worker that issues, and of the one that checks.
CHANGES = {
    "to JWTs": (BOTH, JWT),
    "back": (JWT, BOTH),
    "from none": ({}, JWT),
    "an issuer": ({}, BOTH),
    "none": (BOTH, {}),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_tokens_of_before_a_change_over_stay_good(wrap, client, before, after):
    assert opens(wrap(**after), issue(wrap(**before)))


def test_without_an_issuer_a_client_of_jwts_gets_opaque_tokens_and_the_start_warns_of_nothing(
    wrap, client, store, caplog
):
    admin.update_client(store, "tester", token_format="jwt")

    assert is_compact(issue(wrap(**JWT))) and not is_compact(issue(wrap()))
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


TOO_LONG = {
    "resources": ("resource", [f"https://{number}.example.com/{'x' * 480}" for number in range(20)], "invalid_target"),
    "scopes": ("scope", [" ".join(f"{number:03}{'x' * 60}" for number in range(200))], "invalid_scope"),
}


@pytest.mark.parametrize(("parameter", "values", "error"), TOO_LONG.values(), ids=TOO_LONG)
def test_what_would_be_too_long_to_be_read_is_not_issued(app, store, parameter, values, error):
    fields = {"audiences": values} if parameter == "resource" else {"scope": values[0]}
    admin.update_client(store, "tester", **fields)
    form = [("grant_type", "client_credentials"), *((parameter, each) for each in values)]

    assert app.post("/oauth/token", form, headers=TESTER, status=400).json["error"] == error


def test_all_that_attributes_may_say_fits(app, store):
    admin.update_client(store, "tester", public_attributes={"a": "\U0001f600" * 500})

    assert opens(app, issue(app))


# Whom it is for


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_a_token_for_another_resource_server_is_refused_unless_it_is_for_this_one_too(
    wrap, client, store, token_format
):  # B-22, N-04
    admin.update_client(store, "tester", audiences=["https://other.example.com", ISSUER])
    app = wrap(issuer=ISSUER, token_format=token_format)
    form = f"grant_type=client_credentials&resource=https://other.example.com&resource={ISSUER}"

    answer = app.get("/any", headers=bearer(issue(app, resource="https://other.example.com")), status=401)

    assert challenge_of(answer)[1]["error"] == "invalid_token"
    assert opens(app, app.post("/oauth/token", form, headers=TESTER).json["access_token"])


def test_a_server_accepts_a_token_for_none_and_without_an_audience_refuses_one_for_some(wrap, client):
    for_none, for_some = issue(wrap()), issue(wrap(audience=ISSUER))

    assert [opens(wrap(audience=ISSUER), for_none), opens(wrap(), for_some)] == [True, False]


# Introspection


def test_a_jwt_is_told_about_as_an_opaque_token_is(app, clock):
    answer = introspected(app, issue(app, scope="read"))

    now = int(clock())
    assert answer == {
        "active": True, "client_id": "tester", "sub": "tester", "token_type": "Bearer", "scope": "read",
        "iat": now, "exp": now + 3600, "aud": ISSUER,
    }  # fmt: skip


@pytest.mark.parametrize(("registered", "active"), [(["https://other.example.com"], True), ([], False)])
def test_a_resource_server_is_told_about_jwts_for_it(app, store, registered, active):  # I-09
    admin.update_client(store, "tester", audiences=["https://other.example.com"])
    admin.add_client(store, "rs", client_id="rs", secret=SECRET[::-1], resource_server=True, audiences=registered)

    assert introspected(app, issue(app), basic("rs", SECRET[::-1]))["active"] is active


# Times


@pytest.mark.parametrize("options", [JWT, {}], ids=["jwt", "opaque"])
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(("late", "good"), [(29.9, True), (30, False)])
def test_a_token_is_good_for_the_leeway_longer(wrap, client, clock, options, cached, late, good):  # J-08
    app = wrap(leeway_seconds=30, access_token_lifetime=60, **options)
    token = issue(app)
    assert not cached or opens(app, token)

    clock.move(60 + late)

    assert opens(app, token) is good
