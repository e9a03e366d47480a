"""``compatibility = apigee``: what clients of Apigee read in answers, and stock clients that meet it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError
from requests_oauthlib import OAuth2Session

from helpers.jwts import JWT
from helpers.serving import serving
from helpers.support import CC, SECRET, TESTER, basic, bearer, echo, issue, revoked
from helpers.wsgi_client import call, make_environ, post_form
from oauth_mw import admin

STORE_KINDS = ["memory"]

RULES = [("GET", "/reports", "admin"), ("GET", "/any", "read")]


@pytest.fixture
def old(wrap, client):
    """Wrap with the option, for one client."""
    return lambda app=echo, **options: wrap(app, compatibility="apigee", **options)


def answer_of(app, form=CC, status=200):
    return app.post("/oauth/token", form, headers=TESTER, status=status).json


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
def test_a_token_is_answered_with_the_members_of_apigee(old, clock, options):
    clock.move(0.25)
    app = old(**options)

    found = answer_of(app, {**CC, "state": "x"})

    assert app.get("/any", headers=bearer(found.pop("access_token"))).status_int == 200
    assert found == {
        "token_type": "BearerToken",
        "expires_in": "3600",
        "issued_at": "1800000000250",
        "client_id": "tester",
        "application_name": "tester",
        "scope": "read write",
        "status": "approved",
        "refresh_token_expires_in": "0",
        "refresh_count": "0",
        "state": "x",
    }


def test_attributes_of_the_client_are_members_under_their_names_there(old, store, client):
    private = {"api_products": "store, order 2,", "organization": "acme", "developer_email": "a@b.example", "note": "x"}
    admin.update_client(
        store,
        client,
        attributes={**private, "application_id": "0b1f"},
        public_attributes={"tier": "gold", "cost": 3, "paid": True},
    )

    found = answer_of(old())

    assert {name: found[name] for name in ("api_product_list", "api_product_list_json", "application_name")} == {
        "api_product_list": "[store,order 2]", "api_product_list_json": ["store", "order 2"], "application_name": "0b1f"
    }  # fmt: skip
    assert (found["organization_name"], found["developer.email"]) == ("acme", "a@b.example")
    assert (found["tier"], found["cost"], found["paid"], "note" in found) == ("gold", "3", "true", False)


def test_an_application_id_that_is_zero_is_an_id(old, store, client):
    admin.update_client(store, client, attributes={"application_id": 0})

    assert answer_of(old())["application_name"] == "0"


def test_the_time_of_the_issue_and_the_lifetime_are_never_more_than_the_expiry(old, store, clock, monkeypatch):
    real = store.add_token
    monkeypatch.setattr(store, "add_token", lambda *given: (real(*given), clock.move(4)))  # a slow store

    found = answer_of(old())

    assert int(found["issued_at"]) / 1000 + int(found["expires_in"]) == clock() - 4 + 3600


def test_attributes_of_on_issue_are_members_too(old):
    assert answer_of(old(on_issue=lambda *given: {"api_products": "store"}))["api_product_list"] == "[store]"


def test_a_token_without_scope_has_an_empty_one(old, store):
    admin.update_client(store, "tester", scope="")

    assert answer_of(old())["scope"] == ""


FAULTS = {
    "wrong secret": (CC, basic("tester", "wrong" + SECRET), "oauth.v2.InvalidClientIdentifier"),
    "unknown client": (CC, basic("nobody", SECRET), "oauth.v2.InvalidClientIdentifier"),
    "another grant": ({"grant_type": "password"}, TESTER, "oauth.v2.UnSupportedGrantType"),
    "no grant": ({}, TESTER, "oauth.v2.invalid_request"),
    "a scope that is not allowed": ({**CC, "scope": "other"}, TESTER, "oauth.v2.invalid_scope"),
}


@pytest.mark.parametrize(("form", "login", "code"), FAULTS.values(), ids=FAULTS)
def test_a_refusal_of_the_token_endpoint_has_their_members_and_all_else_is_ours(old, wrap, form, login, code):
    found = old().post("/oauth/token", form, headers=login, status="4*")
    plain = wrap().post("/oauth/token", form, headers=login, status="4*")

    error, text = plain.json["error"], plain.json["error_description"]
    theirs = {"ErrorCode": error, "Error": text, "fault": {"faultstring": text, "detail": {"errorcode": code}}}
    assert (found.status, found.json) == (plain.status, {**plain.json, **theirs})
    assert {**found.headers, "Content-Length": ""} == {**plain.headers, "Content-Length": ""}


def test_an_outage_has_them_too_at_the_token_endpoint_and_not_in_the_guard(old):
    environs = [make_environ("POST", path, **{"wsgi.multiprocess": True}) for path in ("/oauth/token", "/any")]

    bodies = [json.loads(call(old().app, each).body) for each in environs]

    assert [each.get("ErrorCode") for each in bodies] == ["temporarily_unavailable", None]
    assert bodies[0]["Error"] == bodies[0]["error_description"]


def test_all_faults_of_credentials_are_answered_alike(old, store):
    admin.add_client(store, "off", client_id="off", secret=SECRET)
    admin.disable_client(store, "off")
    app, logins = old(), [basic("tester", "wrong" + SECRET), basic("nobody", SECRET), basic("off", SECRET)]

    assert len({app.post("/oauth/token", CC, headers=login, status=401).body for login in logins}) == 1


GUARDED = {
    "no token": ("GET", "/any", {}, "oauth.v2.InvalidAccessToken"),
    "an unknown token": (
        "GET",
        "/any",
        {"HTTP_AUTHORIZATION": "Bearer x"},
        "keymanagement.service.invalid_access_token",
    ),
    "too little scope": ("GET", "/reports", {}, "steps.oauth.v2.InsufficientScope"),
    "no rule for the method": (
        "PUT",
        "/reports",
        {},
        "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound",
    ),
    "an ambiguous path": ("GET", "/x//y", {}, "oauth.v2.invalid_request"),
    "an outage": ("GET", "/any", {"wsgi.multiprocess": True}, "messaging.adaptors.http.flow.ServiceUnavailable"),
}


@pytest.mark.parametrize(("method", "path", "keys", "code"), GUARDED.values(), ids=GUARDED)
def test_a_refusal_of_the_guard_has_a_fault_and_all_else_is_ours(old, wrap, method, path, keys, code):
    app, plain = old(required_scopes=RULES), wrap(required_scopes=RULES)
    if path == "/reports":
        keys = {"HTTP_AUTHORIZATION": f"Bearer {issue(app)}"}

    found, ours = (call(each.app, make_environ(method, path, **keys)) for each in (app, plain))

    members = json.loads(found.body)
    fault = members.pop("fault")
    assert (found.status, members) == (ours.status, json.loads(ours.body))
    assert {**found.headers, "Content-Length": ""} == {**ours.headers, "Content-Length": ""}
    assert fault == {
        "faultstring": members.get("error_description") or members["message"],
        "detail": {"errorcode": code},
    }


def test_a_request_that_is_not_on_the_clients_list_has_no_product(old, store, client):
    admin.update_client(store, client, allowed_requests=["GET /weather/*"])
    app = old()

    found = app.get("/any", headers=bearer(issue(app)), status=403).json

    assert found["fault"]["detail"]["errorcode"] == "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound"


def test_the_bodies_of_on_refusal_come_first_and_ours_where_it_has_none(old):
    bodies = iter([("text/plain", b"house"), None])
    app = old(on_refusal=lambda environ, refusal: next(bodies))

    assert [b"fault" in call(app.app, make_environ("GET", "/any")).body for _ in range(2)] == [False, True]


def test_revocation_and_introspection_keep_the_bodies_of_their_rfcs(old, wrap):
    app, plain = old().app, wrap().app

    for path in ("/oauth/revoke", "/oauth/introspect", "/oauth/revoke/"):
        assert post_form(app, b"token=x", path)[:3] == post_form(plain, b"token=x", path)[:3]


def test_a_token_can_be_revoked_and_is_refused_then(old):
    app = old()
    token = issue(app)

    assert (revoked(app, token), app.get("/any", headers=bearer(token), status=401).status_int) == (200, 401)


EMPTY = {
    "form": ("application/x-www-form-urlencoded", b"", 200),
    "JSON": ("application/json", b"", 200),
    "no type": ("", b"", 200),
    "garbage": (";;", b"", 200),
    "a body of another type": ("application/json", b"{}", 400),
}


@pytest.mark.parametrize(("kind", "body", "status"), EMPTY.values(), ids=EMPTY)
def test_with_grant_type_in_the_query_an_empty_body_has_any_type(old, kind, body, status):
    keys = {"QUERY_STRING": "grant_type=client_credentials", "HTTP_AUTHORIZATION": TESTER["Authorization"]}

    app = old(grant_type_in="body query").app

    assert post_form(app, body, **keys, CONTENT_TYPE=kind).status == status


@pytest.mark.parametrize("options", [{"compatibility": "apigee"}, {"grant_type_in": "query"}], ids=str)
def test_with_one_of_the_two_options_alone_it_does_not(wrap, client, options):
    answer = post_form(
        wrap(**options).app,
        b"",
        QUERY_STRING="grant_type=client_credentials",
        HTTP_AUTHORIZATION=TESTER["Authorization"],
        CONTENT_TYPE="application/json",
    )

    assert json.loads(answer.body)["error_description"].startswith("The Content-Type is wrong")


@pytest.fixture
def served(old):
    """The URL at which the middleware is served, with ``grant_type`` in the body or the query."""

    def serve(**options):
        set_app(old(grant_type_in="body query", **options).app)
        return url

    with serving() as (url, set_app):
        yield serve


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    return OAuth2Session(client=BackendApplicationClient("tester"))


def as_bearer(response):
    """The hook that users of requests-oauthlib need for Apigee."""
    response._content = json.dumps({**response.json(), "token_type": "Bearer"}).encode()
    return response


def test_requests_oauthlib_calls_with_the_hook_that_it_needs_for_apigee(served, session):
    url = served()
    session.register_compliance_hook("access_token_response", as_bearer)

    token = session.fetch_token(f"{url}/oauth/token", auth=("tester", SECRET))

    assert (token["expires_in"], token["status"]) == (3600, "approved")
    assert session.get(f"{url}/any").text == "MARKER tester read write"


def test_requests_oauthlib_names_a_wrong_secret_as_before(served, session):
    url = served()

    with pytest.raises(InvalidClientError):
        session.fetch_token(f"{url}/oauth/token", auth=("tester", "wrong" + SECRET))


def curl(line):
    done = subprocess.run([*shlex.split(line), "-s", "--noproxy", "*"], check=True, capture_output=True, timeout=20)
    return done.stdout.decode()


FORM = "-H 'Content-Type: application/x-www-form-urlencoded'"
CALLS = {
    "form": f"curl {FORM} -H 'Authorization: {{login}}' -X POST {{url}} -d 'grant_type=client_credentials'",
    "query": f"curl {FORM} -H 'Authorization: {{login}}' -X POST '{{url}}?grant_type=client_credentials'",
    "headers": f"curl -i {FORM} -X POST {{url}} -d 'grant_type=client_credentials' -H 'Authorization: {{login}}'",
}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("line", CALLS.values(), ids=CALLS)
def test_curl_gets_and_uses_a_token_as_apigees_page_shows(served, line):
    url = served(token_path="/oauth/accesstoken")

    found = json.loads(
        curl(line.format(url=f"{url}/oauth/accesstoken", login=TESTER["Authorization"])).split("\r\n")[-1]
    )

    called = curl(f"curl -H 'Authorization: Bearer {found['access_token']}' {url}/v0/weather/forecastrss?w=12797282")
    assert (found["token_type"], called) == ("BearerToken", "MARKER tester read write")
