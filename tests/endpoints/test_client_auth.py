"""Exactly one method of client authentication in a request (RFC 6749 §2.3)."""

from __future__ import annotations

from itertools import product
from urllib.parse import urlencode

import pytest

from helpers.support import CC, SECRET, TESTER, basic, bearer, one_store
from helpers.wsgi_client import challenge_of, post_form
from oauth_mw import admin

pytestmark = one_store

POST = {"client_id": "tester", "client_secret": SECRET}
ENDPOINTS = {"token": "/oauth/token", "revocation": "/oauth/revoke", "introspection": "/oauth/introspect"}
FORM = {**CC, "token": "x"}
ASSERTION = {
    "client_assertion": "eyJhbGciOiJub25lIn0.e30.",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}

every_endpoint = pytest.mark.parametrize("path", ENDPOINTS.values(), ids=ENDPOINTS)


def refused(answer):
    """True for the one answer to a client that is not authenticated."""
    assert challenge_of(answer).scheme == "Basic"
    return answer.status_int == 401 and answer.json["error"] == "invalid_client"


WAYS = [({}, TESTER), ({"client_id": "tester"}, TESTER), (POST, {})]


@every_endpoint
def test_each_method_authenticates(app, path):
    for form, headers in WAYS:
        app.post(path, {**FORM, **form}, headers=headers, status=200)


@every_endpoint
def test_a_method_that_is_off_is_refused(wrap, client, path):
    assert refused(wrap(client_auth_methods=["client_secret_basic"]).post(path, {**FORM, **POST}, status=401))
    only_post = wrap(client_auth_methods="client_secret_post")
    assert refused(only_post.post(path, FORM, headers=TESTER, status=401))
    only_post.post(path, {**FORM, **POST}, status=200)


REFUSED = {
    "wrong secret in the header": ({}, basic("tester", "x" + SECRET)),
    "right secret and more in the header": ({}, basic("tester", SECRET + "x")),
    "empty secret in the header": ({}, basic("tester", "")),
    "unknown id in the header": ({}, basic("other", SECRET)),
    "wrong secret in the body": ({**POST, "client_secret": "no" + SECRET}, {}),
    "nothing": ({}, {}),
    "an id alone": ({"client_id": "tester"}, {}),
    "a secret alone": ({"client_secret": SECRET}, {}),
    "an empty secret alone": ({"client_secret": ""}, {}),
    "an assertion": ({**ASSERTION, "client_id": "tester"}, {}),
}


@every_endpoint
def test_anything_else_is_refused_alike_whatever_the_token_which_stays_alive(app, token, path):
    # I-04, I-05
    token_as_secret = [({}, basic("tester", token)), ({**POST, "client_secret": token}, {}), ({}, bearer(token))]

    for form, headers in [*REFUSED.values(), *token_as_secret]:
        answers = [
            app.post(path, {**FORM, **form, "token": each}, headers=headers, status=401) for each in (token, "x")
        ]
        assert refused(answers[0]), (form, headers)
        assert len({(answer.status, str(answer.headers), answer.body) for answer in answers}) == 1
    app.get("/any", headers=bearer(token), status=200)


def test_the_challenge_names_realm_and_charset(wrap, client):
    answer = wrap(realm="the vault").post("/oauth/token", CC, status=401)

    assert challenge_of(answer) == ("Basic", {"realm": "the vault", "charset": "UTF-8"})


def test_a_client_without_secrets_gets_no_token(app, store):
    (secret,) = store.find_client("tester").secrets
    admin.revoke_secret(store, "tester", secret.secret_id)

    for form in ({"client_id": "tester"}, {"client_id": "tester", "client_secret": ""}, POST):
        assert refused(app.post("/oauth/token", {**CC, **form}, status=401))


PAIRS = {
    "Basic and secret": ({"client_secret": SECRET}, True),
    "Basic, id and secret": (POST, True),
    "Basic and assertion": (ASSERTION, True),
    "Basic and assertion type": ({"client_assertion_type": "x"}, True),
    "secret and assertion": ({**POST, **ASSERTION}, False),
    "all three": ({**POST, **ASSERTION}, True),
    "Basic and another id": ({"client_id": "other"}, True),
    "Basic and the id in capitals": ({"client_id": "TESTER"}, True),
    "Basic and the id with a space": ({"client_id": "tester "}, True),
}


@every_endpoint
def test_more_than_one_method_or_id_is_invalid(app, store, path):
    admin.add_client(store, "other", client_id="other")
    for name, (form, header) in PAIRS.items():
        for secret in (SECRET, "wrong" + SECRET) if form.get("client_id", "tester") == "tester" else (SECRET,):
            headers = basic("tester", secret) if header else {}
            answer = app.post(path, {**FORM, **form}, headers=headers, status=400)
            assert answer.json["error"] == "invalid_request", name


@pytest.mark.parametrize("methods", ["client_secret_basic", "client_secret_post"])
def test_more_than_one_method_is_invalid_also_when_one_is_off(wrap, client, methods):
    answer = wrap(client_auth_methods=methods).post("/oauth/token", {**CC, **POST}, headers=TESTER, status=400)

    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize(("raw", "refusal"), [(False, 400), (True, 401)], ids=["encoded", "raw"])
def test_the_id_in_the_body_says_which_reading_counts(wrap, store, raw, refusal):
    admin.add_client(store, "odd", client_id="a%2Bb c", secret=SECRET)
    app, header = wrap(), basic("a%2Bb c", SECRET, raw=raw)

    app.post("/oauth/token", {**CC, "client_id": "a%2Bb c"}, headers=header, status=200)
    app.post("/oauth/token", {**CC, "client_id": "a+b c"}, headers=header, status=refusal)


@every_endpoint
def test_another_id_in_the_body_is_answered_alike_whether_the_secret_is_right(app, path):
    form = {**FORM, "client_id": "other"}

    right, wrong = (app.post(path, form, headers=basic("tester", s), status=400) for s in (SECRET, "no" + SECRET))

    assert (right.headerlist, right.body) == (wrong.headerlist, wrong.body)


SCHEMES = ["Bearer x", 'Digest username="tester"', "Negotiate YII=", "DPoP x", "", " ", "tester", "Basicx y"]


@every_endpoint
def test_another_scheme_is_never_ignored_in_favour_of_the_body(app, path):
    for value, form in product(SCHEMES, (FORM, {**FORM, **POST})):
        answer = post_form(app.app, urlencode(form).encode(), path, HTTP_AUTHORIZATION=value)
        assert answer.status in (400, 401)
        assert answer.status == 400 or challenge_of(answer).scheme == "Basic"


OTHERS = """
    HTTP_X_SSL_CLIENT_CERT HTTP_CLIENT_CERT HTTP_X_FORWARDED_CLIENT_CERT HTTP_X_SSL_CLIENT_VERIFY HTTP_X_CLIENT_DN
    SSL_CLIENT_CERT SSL_CLIENT_VERIFY REMOTE_USER HTTP_X_REMOTE_USER HTTP_PROXY_AUTHORIZATION HTTP_X_AUTHORIZATION
""".split()


def test_no_other_header_authenticates(app):
    for key in OTHERS:
        keys = {key: TESTER["Authorization"] if "AUTHORIZATION" in key else "SUCCESS CN=tester"}
        assert post_form(app.app, b"grant_type=client_credentials&client_id=tester", **keys).status == 401, key
