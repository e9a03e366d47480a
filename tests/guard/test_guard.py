"""The guard: what passes with which Authorization header, and what a refusal says (RFC 6750 §2, §3)."""

from __future__ import annotations

import re
from itertools import product

import pytest
from werkzeug.datastructures import WWWAuthenticate

from helpers.builders import HOUR
from helpers.support import SECRET, TESTER, basic, bearer, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ, parse_challenges
from oauth_mw import admin
from oauth_mw.errors import InvalidToken, NoRule

pytestmark = one_store

MISSING = {"realm": "api"}


@pytest.fixture
def get(app):
    """GET a protected path with this Authorization value, whatever it holds."""
    return lambda value, **keys: call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=value, **keys))


@pytest.mark.parametrize("value", [None, "", " ", "Token x", "Negotiate abc", "Digest a=b", TESTER["Authorization"]])
def test_without_a_bearer_token_the_challenge_has_no_error(get, value):  # B-01, B-01b, B-08
    answer = get(value)

    assert (answer.status, challenge_of(answer)) == (401, ("Bearer", MISSING))
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Authorization", "no-store")
    assert b"error" not in answer.body and b"MARKER" not in answer.body


def test_the_realm_is_an_option_and_another_reader_reads_the_same(wrap, client):  # A-14, B-01, B-04b
    app = wrap(realm="it's [odd], really = (x)", required_scopes=[("GET", "/ruled", "admin a:b/c")])
    answers = [
        app.get("/any", status=401),
        app.get("/ruled", status=401),
        app.get("/any", headers=bearer("x"), status=401),
        app.get("/ruled", headers=bearer(issue(app)), status=403),
        app.post("/oauth/token", {"a": "b"}, headers=basic("tester", "no" + SECRET), status=401),
    ]
    for answer in answers:
        value = answer.headers["WWW-Authenticate"]
        ((scheme, parameters),) = parse_challenges(value)
        other = WWWAuthenticate.from_header(value)
        assert parameters["realm"] == "it's [odd], really = (x)"
        assert (other.type, dict(other.parameters)) == (scheme.lower(), parameters)


@pytest.mark.parametrize("headers", [{}, bearer("x")], ids=["no token", "invalid token"])
def test_refusals_name_the_needed_scope_also_without_a_token(wrap, headers):  # S-11, B-01b
    app = wrap(required_scopes=[("GET", "/ruled", "admin")])

    parameters = challenge_of(app.get("/ruled", headers=headers, status=401)).parameters
    assert parameters["scope"] == "admin"
    assert ("error" in parameters) is bool(headers)


def revoked(app, token, clock):
    app.post("/oauth/revoke", {"token": token}, headers=TESTER)
    return token


def expired(app, token, clock):
    app.get("/any", headers=bearer(token))
    clock.move(HOUR)
    return token


def expired_before(app, token, clock):
    clock.move(HOUR)
    return token


def expired_and_unknown(app, token, clock):
    clock.move(HOUR)
    return token[:-1] + "AB"[token[-1] == "A"]


ID = "[0-9a-f]{64}"
TESTER_NAMED = r"tester \(tester\)"  # id and name
# The reason, the client and the token that the log names, by what is sent.
WHY = {
    "malformed": (lambda app, token, clock: token + "!", "malformed Authorization header", "-", "-"),
    "no token": (lambda app, token, clock: token[:20], "not in the form of a token", "-", "-"),
    "unknown": (lambda app, token, clock: token[:-1] + "AB"[token[-1] == "A"], "unknown token", "-", ID),
    "revoked": (revoked, "revoked token", TESTER_NAMED, ID),
    "expired": (expired, "expired token", TESTER_NAMED, ID),
    "expired before": (expired_before, "expired token", TESTER_NAMED, ID),
    "expired and unknown": (expired_and_unknown, "expired token", "-", ID),
    "far ahead": (
        lambda app, token, clock: "______" + token[6:],
        "unknown token, with an expiry beyond any lifetime",
        "-",
        ID,
    ),
}


@pytest.mark.parametrize(("sent", "reason", "whose", "named"), WHY.values(), ids=WHY)
def test_the_log_says_why_a_token_is_refused_and_the_answer_does_not(
    app, token, clock, caplog, sent, reason, whose, named
):
    caplog.set_level("INFO", "oauth_mw")

    answer = app.get("/any", headers=bearer(sent(app, token, clock)), status=401)
    line = f"refused GET /any 401 invalid_token: {reason}; needed: -; client: {whose}; token: {named}"
    assert re.fullmatch(line, caplog.messages[-1])
    assert answer.json == {"error": "invalid_token", "error_description": InvalidToken.description}


def test_the_log_names_an_expired_jwt(wrap, client, clock, caplog):
    app = wrap(issuer="https://issuer.example", token_format="jwt")
    token = issue(app)
    clock.move(HOUR)
    caplog.set_level("INFO", "oauth_mw")

    app.get("/any", headers=bearer(token), status=401)

    assert re.search(f": expired token; needed: -; client: {TESTER_NAMED}; token: {ID}", caplog.messages[-1])


NEEDED = {
    "GET /ruled": "insufficient_scope: the token's scope is not enough; needed: admin;",
    "POST /ruled": "insufficient_scope: the token's scope is not enough; needed: any of admin other;",
    "DELETE /ruled": "insufficient_scope: no rule for the method; needed: -;",
}


@pytest.mark.parametrize("request_line", NEEDED)
def test_the_log_says_what_a_token_lacks_and_whose_it_is(wrap, client, caplog, request_line):  # S-11
    app = wrap(required_scopes=[("GET", "/ruled", "admin"), ("POST", "/ruled", "any of admin other")])
    caplog.set_level("INFO", "oauth_mw")
    method, path = request_line.split()

    app.request(path, method=method, headers=bearer(issue(app)), status=403)

    line = f"refused {request_line} 403 {NEEDED[request_line]} client: {TESTER_NAMED}; token: {ID}"
    assert re.fullmatch(line, caplog.messages[-1])


def test_a_method_without_a_rule_is_refused_with_a_text_that_says_so(wrap, client):  # S-11
    app = wrap(required_scopes=[("GET", "/ruled", "read")])

    answer = app.delete("/ruled", headers=bearer(issue(app)), status=403)

    assert answer.json == {"error": "insufficient_scope", "error_description": NoRule.description}


def test_the_log_names_a_token_for_another_audience(wrap, store, caplog):  # N-01
    admin.add_client(store, "Far away", client_id="far", secret=SECRET, audiences=["https://far.example"])
    token = issue(wrap(audience="https://far.example"), "far")
    caplog.set_level("INFO", "oauth_mw")

    wrap(audience="https://near.example").get("/any", headers=bearer(token), status=401)

    assert re.search(
        rf": token for another audience; needed: -; client: far \(Far away\); token: {ID}", caplog.messages[-1]
    )


SPACED = ["Bearer  {}", "Bearer     {}", "Bearer {} ", "Bearer {}\t ", "bearer  {}  "]


@pytest.mark.parametrize("value", ["Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", *SPACED])
def test_the_scheme_has_any_case_and_white_space_around_the_token(get, token, value):  # B-02, B-03, B-07
    assert get(value.format(token)).body == b"MARKER tester read write"


ENDS = {
    "expired": lambda app, store, clock, token: clock.move(3600),  # B-12
    "revoked": lambda app, store, clock, token: app.post("/oauth/revoke", {"token": token}, headers=TESTER),
    "disabled": lambda app, store, clock, token: admin.disable_client(store, "tester"),
    "deleted": lambda app, store, clock, token: admin.delete_client(store, "tester"),
    "revoked with all": lambda app, store, clock, token: admin.revoke_all_tokens(store, "tester"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_a_dead_token_is_invalid(app, get, store, clock, token, end, cached):  # B-04, B-12
    clock.move(-1)
    assert not cached or get(f"Bearer {token}").status == 200
    clock.move(1)
    end(app, store, clock, token)
    answers = [get(f"Bearer {token}"), get("Bearer " + token[:-4] + "AAAA")]

    assert [(each.status, challenge_of(each).parameters["error"]) for each in answers] == [(401, "invalid_token")] * 2


CHANGES = {
    "cut": lambda t: [t[:-1], t[1:], ""],
    "doubled": lambda t: [t * 2, f"{t} {t}"],
    "more": lambda t: [t + "A", "A" + t, t + "=", t + "=="],
    "other letters": lambda t: [t.swapcase(), t[::-1], "_____" + t[5:], t[:-1] + "\xb2"],
    "a lone surrogate, which UTF-8 has not": lambda t: [t[:-1] + "\ud800", "\udcff"],
    "each character": lambda t: [f"{t[:at]}{'B' if t[at] == 'A' else 'A'}{t[at + 1 :]}" for at in range(48)],
    "percent-encoded": lambda t: [f"%{ord(t[0]):02X}{t[1:]}"],
    "punctuation": lambda t: [f'"{t}"', t + ",", t + ";", f"{t}, realm=x", f"{t},{t}", f"{t}, Bearer {t[::-1]}"],
    "outside of the grammar": lambda t: [each for c in "\0\n\x1f\x7f\x80\xff\xe9" for each in (t + c, c, f"{c} {t}")],
    "words": lambda t: ["null", "undefined", "*", "' OR '1'='1", t[:-1] + "%"],
    "a JWT": lambda t: ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0ZXIifQ."],
    "credentials of a client": lambda t: ["tester", SECRET, f"tester:{SECRET}", TESTER["Authorization"][6:]],
    "huge": lambda t: [text * 60_000 for text in ("a", ".", "=", "a=", "~", "\xff", " ", "Bearer ")],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_to_a_token_is_refused(get, token, change):  # B-04b, B-05, B-08, B-09, B-14, B-15, B-16, L-06
    assert get(f"Bearer {token}").status == 200
    for changed in change(token):
        answer = get("Bearer " + changed)
        assert (answer.status, challenge_of(answer).parameters["error"]) == (401, "invalid_token")
        assert token[:-1].encode() not in answer.body + str(answer.headers).encode()
    assert get(f"Bearer {token}").status == 200


SCHEMES = ["Bearer", "Bearer ", "Bearer{}", "Bearer={}", "Bearer:{}", "Bearer: {}", "Bearer\t{}", "Bearer\xa0{}"]
SCHEMES += [" Bearer {}", "Token {}", "OAuth {}", "DPoP {}", "{}", "Basic {}", 'Bearer token="{}"', "Bearer Bearer {}"]


@pytest.mark.parametrize("value", [*SCHEMES, "Authorization: Bearer {}", "Bearer\n {}", "Basic x, Bearer {}"])
def test_a_malformed_or_foreign_scheme_is_refused(get, token, value):  # B-06, B-09
    assert get(value.format(token)).status == 401


@pytest.mark.parametrize(("value", "status"), [(" {}", 200), (" " * 17_000 + "{}", 401), (" {}" + "=" * 250_000, 401)])
def test_a_value_that_is_longer_than_any_token_is_not_searched(get, token, value, status):
    assert get("Bearer" + value.format(token)).status == status


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


def test_a_token_elsewhere_is_not_accepted(app, token):  # B-11
    values = f"Bearer {token}", token, f"access_token={token}; Authorization=Bearer {token}"
    for key, value in product(ELSEWHERE, values):
        assert call(app.app, make_environ("GET", "/any", **{key: value})).status == 401, key


METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT get PROPFIND FOO".split()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_guarded(app, token, method):  # B-13, H-16
    answer = call(app.app, make_environ(method, "/any"))

    assert (answer.status, b"MARKER" in answer.body) == (401, False)
    assert call(app.app, make_environ(method, "/any", HTTP_AUTHORIZATION=f"Bearer {token}")).status == 200
