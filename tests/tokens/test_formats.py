"""Opaque tokens and JWTs, side by side behind one middleware."""

from __future__ import annotations

import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key

from helpers.jwts import ISSUER, JWT, introspected, opens
from helpers.support import CC, SECRET, TESTER, basic, bearer, issue
from helpers.wsgi_client import challenge_of
from oauth_mw import admin
from oauth_mw.tokens.jws import is_compact
from oauth_mw.tokens.jwt import POSITION

BOTH = {"issuer": ISSUER}

STORE_KINDS = ["memory"]


@pytest.fixture
def app(wrap, client):
    return wrap(**JWT)


def parsed(app, token):
    """The header and claims of a token, by joserfc with the published key."""
    (key,) = app.get("/oauth/jwks").json["keys"]
    return joserfc_jwt.decode(token, import_key(key), algorithms=["ES256"])


def test_a_jwt_opens_the_app_and_has_no_row(app, store):
    token = issue(app, scope="read")

    assert is_compact(token) and not any(map(is_compact, ("a" * 48, "a.b.c" + "x" * 43, "")))
    assert app.get("/any", headers=bearer(token)).text == "MARKER tester read"
    assert store.count_tokens() == 0


def test_the_claims_are_those_of_the_profile_and_public_attributes(app, store, clock):  # J-01 to J-04
    admin.update_client(store, "tester", attributes={"note": "x"}, public_attributes={"tier": "gold", "quota": 5})
    token, other = (parsed(app, issue(app)) for _ in range(2))
    jti = token.claims.pop("jti")

    assert (token.header["typ"], token.header["alg"], len(token.header)) == ("at+jwt", "ES256", 3)
    assert token.claims == {
        "iss": ISSUER, "sub": "tester", "client_id": "tester", "aud": ISSUER, "iat": int(clock()),
        "exp": int(clock()) + 3600, "scope": "read write", "tier": "gold", "quota": 5, POSITION: 0,
    }  # fmt: skip
    assert len(jti) >= 22 and jti != other.claims["jti"]


def test_several_audiences_are_a_list_and_without_a_scope_there_is_no_claim(app, store):
    audiences = [ISSUER, "https://other.example.com"]
    admin.update_client(store, "tester", scope="", audiences=audiences)
    token = app.post("/oauth/token", [*CC.items(), *(("resource", each) for each in audiences)], headers=TESTER).json
    claims = parsed(app, token["access_token"]).claims

    assert (claims["aud"], "scope" in claims) == (audiences, False)
    assert app.get("/any", headers=bearer(token["access_token"])).text == "MARKER tester "


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
    "none": (BOTH, {}),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_tokens_issued_before_a_change_of_options_are_valid_after_it(wrap, client, before, after):
    assert opens(wrap(**after), issue(wrap(**before)))


def test_without_an_issuer_a_client_of_jwts_gets_opaque_tokens_without_a_warning(wrap, client, store, caplog):
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


def test_the_longest_attributes_fit(app, store):
    admin.update_client(store, "tester", public_attributes={"a": "\U0001f600" * 500})

    assert opens(app, issue(app))


# Audience


@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_a_token_for_another_server_is_refused_unless_it_is_for_this_one_too(
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


def test_a_jwt_is_introspected_as_an_opaque_token_is(app, clock):
    answer = introspected(app, issue(app, scope="read"))

    now = int(clock())
    assert answer == {
        "active": True, "client_id": "tester", "sub": "tester", "token_type": "Bearer", "scope": "read",
        "iat": now, "exp": now + 3600, "aud": ISSUER,
    }  # fmt: skip


@pytest.mark.parametrize(("registered", "active"), [(["https://other.example.com"], True), ([], False)])
def test_a_resource_server_may_introspect_jwts_for_it(app, store, registered, active):  # I-09
    admin.update_client(store, "tester", audiences=["https://other.example.com"])
    admin.add_client(store, "rs", client_id="rs", secret=SECRET[::-1], resource_server=True, audiences=registered)

    assert introspected(app, issue(app), basic("rs", SECRET[::-1]))["active"] is active


# Times


@pytest.mark.parametrize("options", [JWT, {}], ids=["jwt", "opaque"])
@pytest.mark.parametrize("cached", [True, False])
def test_a_token_is_valid_for_the_leeway_longer(wrap, client, clock, options, cached):  # J-06, J-08
    app = wrap(leeway_seconds=30, access_token_lifetime=60, **options)
    token, found = issue(app), []
    for seconds in ([0] if cached else []) + [89.9, 0.1]:
        clock.move(seconds)
        found.append(opens(app if cached else wrap(leeway_seconds=30, **options), token))

    assert found[-2:] == [True, False]
