"""Who asks: exactly one way of client authentication in a request (RFC 6749 §2.3)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, bearer, issue, one_store
from helpers.wsgi_client import challenge_of, post_form
from oauth_mw import admin

pytestmark = one_store

CC = {"grant_type": "client_credentials"}
POST = {"client_id": "tester", "client_secret": SECRET}
ENDPOINTS = {"token": "/oauth/token", "revocation": "/oauth/revoke", "introspection": "/oauth/introspect"}
FORM = {**CC, "token": "x"}

every_endpoint = pytest.mark.parametrize("path", ENDPOINTS.values(), ids=ENDPOINTS)


def refused(answer):
    """True for the one answer to a client that is not authenticated."""
    assert challenge_of(answer).scheme == "Basic"
    return answer.status_int == 401 and answer.json["error"] == "invalid_client"


@every_endpoint
def test_basic_authenticates(wrap, client, path):
    wrap().post(path, FORM, headers=basic("tester", SECRET), status=200)


@every_endpoint
def test_the_body_authenticates(wrap, client, path):
    wrap().post(path, {**FORM, **POST}, status=200)


@every_endpoint
def test_a_method_that_is_off_is_refused(wrap, client, path):
    assert refused(wrap(client_auth_methods=["client_secret_basic"]).post(path, {**FORM, **POST}, status=401))
    only_post = wrap(client_auth_methods="client_secret_post")
    assert refused(only_post.post(path, FORM, headers=basic("tester", SECRET), status=401))
    only_post.post(path, {**FORM, **POST}, status=200)


@every_endpoint
@pytest.mark.parametrize("secret", ["x" + SECRET, SECRET + "x"])
def test_a_wrong_secret_in_the_header_is_refused(wrap, client, path, secret):  # I-04
    assert refused(wrap().post(path, FORM, headers=basic("tester", secret), status=401))


@every_endpoint
def test_a_wrong_secret_in_the_body_is_refused_with_a_challenge(wrap, client, path):  # I-05
    assert refused(wrap().post(path, {**FORM, **POST, "client_secret": "no" + SECRET}, status=401))


@every_endpoint
@pytest.mark.parametrize("form", [{}, {"client_id": "tester"}, {"client_secret": ""}], ids=["none", "id", "empty"])
def test_without_authentication_the_request_is_refused(wrap, client, path, form):  # I-04
    assert refused(wrap().post(path, {**FORM, **form}, status=401))


def test_the_challenge_names_realm_and_charset(wrap, client):
    answer = wrap(realm="the vault").post("/oauth/token", CC, status=401)

    assert challenge_of(answer) == ("Basic", {"realm": "the vault", "charset": "UTF-8"})


@pytest.mark.parametrize("header", ["Basic dGVzdGVyOg==", "Basic Og==", "Basic OnNlY3JldA=="])
def test_an_empty_id_or_secret_gets_no_token(wrap, client, header):
    assert refused(wrap().post("/oauth/token", CC, headers={"Authorization": header}, status=401))


def test_a_client_without_secrets_gets_no_token(wrap, store, client):
    (secret,) = store.find_client("tester").secrets
    admin.revoke_secret(store, "tester", secret.secret_id)
    app = wrap()

    for form in ({"client_id": "tester"}, {"client_id": "tester", "client_secret": ""}, POST):
        assert refused(app.post("/oauth/token", {**CC, **form}, status=401))


def test_a_secret_without_an_id_is_refused(wrap, client):
    assert refused(wrap().post("/oauth/token", {**CC, "client_secret": SECRET}, status=401))


ASSERTION = {
    "client_assertion": "eyJhbGciOiJub25lIn0.e30.",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
PAIRS = {
    "Basic and secret": ({"client_secret": SECRET}, True),
    "Basic, id and secret": (POST, True),
    "Basic and wrong secret": ({**POST, "client_secret": "wrong"}, True),
    "Basic and assertion": (ASSERTION, True),
    "Basic and assertion type": ({"client_assertion_type": "x"}, True),
    "secret and assertion": ({**POST, **ASSERTION}, False),
    "all three": ({**POST, **ASSERTION}, True),
}


@every_endpoint
@pytest.mark.parametrize(("form", "header"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("secret", [SECRET, "wrong" + SECRET], ids=["right", "wrong"])
def test_more_than_one_way_is_invalid(wrap, client, path, form, header, secret):
    headers = basic("tester", secret) if header else {}

    assert wrap().post(path, {**FORM, **form}, headers=headers, status=400).json["error"] == "invalid_request"


@pytest.mark.parametrize("methods", ["client_secret_basic", "client_secret_post"])
def test_more_than_one_way_is_invalid_also_when_one_is_off(wrap, client, methods):
    app = wrap(client_auth_methods=methods)

    answer = app.post("/oauth/token", {**CC, **POST}, headers=basic("tester", SECRET), status=400)
    assert answer.json["error"] == "invalid_request"


@every_endpoint
def test_an_assertion_is_refused(wrap, client, path):
    assert refused(wrap().post(path, {**FORM, **ASSERTION, "client_id": "tester"}, status=401))


@every_endpoint
def test_basic_with_the_same_id_in_the_body_is_fine(wrap, client, path):
    wrap().post(path, {**FORM, "client_id": "tester"}, headers=basic("tester", SECRET), status=200)


@every_endpoint
@pytest.mark.parametrize("named", ["other", "tester ", "TESTER", "unknown"])
def test_basic_with_another_id_in_the_body_is_invalid(wrap, store, client, path, named):
    admin.add_client(store, "other", client_id="other")
    answer = wrap().post(path, {**FORM, "client_id": named}, headers=basic("tester", SECRET), status=400)

    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize("raw", [False, True], ids=["encoded", "raw"])
def test_the_id_in_the_body_is_compared_with_the_reading_that_matched(wrap, store, raw):
    admin.add_client(store, "odd", client_id="a%2Bb c", secret=SECRET)
    app, header = wrap(), basic("a%2Bb c", SECRET, raw=raw)

    app.post("/oauth/token", {**CC, "client_id": "a%2Bb c"}, headers=header, status=200)
    app.post("/oauth/token", {**CC, "client_id": "a+b c"}, headers=header, status=400)


@every_endpoint
@pytest.mark.parametrize(
    "value", ["Bearer x", 'Digest username="tester"', "Negotiate YII=", "DPoP x", "", " ", "tester", "Basicx y"]
)
def test_another_scheme_is_never_ignored_in_favour_of_the_body(wrap, client, path, value):
    app = wrap()

    for form in (FORM, {**FORM, **POST}):
        body = "&".join(f"{name}={text}" for name, text in form.items()).encode()
        answer = post_form(app.app, body, path, HTTP_AUTHORIZATION=value)
        assert answer.status in (400, 401)
        assert answer.status == 400 or challenge_of(answer).scheme == "Basic"


@pytest.mark.parametrize(
    "key",
    [
        "HTTP_X_SSL_CLIENT_CERT",
        "HTTP_CLIENT_CERT",
        "HTTP_X_FORWARDED_CLIENT_CERT",
        "HTTP_X_SSL_CLIENT_VERIFY",
        "HTTP_X_CLIENT_DN",
        "SSL_CLIENT_CERT",
        "SSL_CLIENT_VERIFY",
        "REMOTE_USER",
        "HTTP_X_REMOTE_USER",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_X_AUTHORIZATION",
    ],
)
def test_no_other_header_authenticates(wrap, client, key):
    keys = {key: basic("tester", SECRET)["Authorization"] if "AUTHORIZATION" in key else "SUCCESS CN=tester"}

    assert post_form(wrap().app, b"grant_type=client_credentials&client_id=tester", **keys).status == 401


@every_endpoint
def test_an_access_token_is_no_client_credential(wrap, client, path):  # A-20, I-05
    app = wrap()
    token = issue(app)

    assert refused(app.post(path, FORM, headers=basic("tester", token), status=401))
    assert refused(app.post(path, {**FORM, "client_id": "tester", "client_secret": token}, status=401))
    assert refused(app.post(path, FORM, headers=bearer(token), status=401))


def test_https_is_not_inferred_from_a_header(wrap, client):
    answer = wrap().post("/oauth/token", CC, headers={"X-Forwarded-Proto": "https", **basic("tester", SECRET)})

    assert answer.status_int == 200
    assert b"https" not in answer.body
