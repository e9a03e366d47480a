"""The challenges, read by RFC 9110 §11.6.1; and the reader itself, which must not be kind."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import WWWAuthenticate

from helpers.support import SECRET, basic, bearer, issue, one_store
from helpers.wsgi_client import challenge_of, check_answer, parse_challenges


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        ("Bearer", [("Bearer", {})]),
        ('Bearer realm="a"', [("Bearer", {"realm": "a"})]),
        ('Bearer realm="a, b", error=x', [("Bearer", {"realm": "a, b", "error": "x"})]),
        ('Basic realm="a\\"b" ,  charset="UTF-8"', [("Basic", {"realm": 'a"b', "charset": "UTF-8"})]),
        ('Basic realm="a", Bearer realm="b"', [("Basic", {"realm": "a"}), ("Bearer", {"realm": "b"})]),
        ("Negotiate, Bearer a=b", [("Negotiate", {}), ("Bearer", {"a": "b"})]),
    ],
)
def test_the_reader_reads_challenges(value, challenges):
    assert parse_challenges(value) == challenges


NO_CHALLENGES = ['realm="a"', 'Bearer realm="a" error="b"', 'Bearer realm="a", REALM="b"', 'Bearer realm="a']
NO_CHALLENGES += ['Bearer realm="a"b"', 'Bearer realm="\xe9"', "Bearer realm=a b", "Bearer realm=", 'Bearer: realm="a"']


@pytest.mark.parametrize("value", NO_CHALLENGES)
def test_the_reader_refuses_what_is_no_challenge(value):
    with pytest.raises(AssertionError):
        parse_challenges(value)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("401 Unauthorized", [], b""),
        ("401 Unauthorized", [("WWW-Authenticate", "Bearer")], b""),
        ("200 OK", [("Set-Cookie", "a=b")], b""),
        ("302 Found", [("X", "y")], b""),
        ("200 OK", [("Content-Length", "3")], b"ab"),
        ("200 OK", [("X", "a\r\nb")], b""),
        ("200", [], b""),
    ],
)
def test_the_check_of_every_answer_is_not_kind(status, headers, body):  # A-14, T-22, T-23, H-15
    with pytest.raises((AssertionError, KeyError)):
        check_answer("GET", status, headers, body)


@one_store
def test_another_reader_reads_the_same(wrap, client):  # B-04b, A-14
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
        assert (other.type, dict(other.parameters)) == (scheme.lower(), parameters)


@one_store
def test_refusals_name_the_needed_scope_also_without_a_token(wrap, client):  # S-11, B-01b
    app = wrap(required_scopes=[("GET", "/ruled", "admin")])

    for headers in ({}, bearer("x")):
        parameters = challenge_of(app.get("/ruled", headers=headers, status=401)).parameters
        assert parameters["scope"] == "admin"
        assert ("error" in parameters) is bool(headers)
