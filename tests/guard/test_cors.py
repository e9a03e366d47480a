"""``cors_origins``: what pages of other origins may read, and how their preflights are answered."""

from __future__ import annotations

import flask
import flask_cors
import pytest

from helpers.browser import Blocked, Page, to_app
from helpers.guarded_apps import APPS
from helpers.support import TESTER, bearer, issue
from helpers.wsgi_client import answering, call, make_environ
from oauth_mw.contrib.flask import require_scope

STORE_KINDS = ["memory"]

ORIGIN = "https://app.example.com"
SHARED = {"cors_origins": [ORIGIN, "http://localhost:3000"]}
EXPOSED = "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy"
RULES = [
    ("GET", "/reports/*", "read"),
    ("DELETE,REPORT", "/reports/*", "write"),
    ("OPTIONS", "/described", "read"),
    ("*", "/all/*", "write"),
]
OPEN_APP = answering("200 OK", [("Access-Control-Allow-Origin", "*")])  # of an app with CORS of its own
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def page(wrap, client):
    """Make a page, with our middleware at the other origin: ``page.app`` is a client of that."""

    def make(origin=ORIGIN, app=OPEN_APP, **options):
        guarded = wrap(app, **{**SHARED, "required_scopes": RULES, **options})
        made = Page(origin, to_app(guarded))
        made.app = guarded
        return made

    return make


def preflight(path, method="GET", origin=ORIGIN, **keys):
    return make_environ("OPTIONS", path, HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD=method, **keys)


def cors_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


REFUSED = {
    "no token": ("/reports", {}, 401),
    "an invalid token": ("/reports", {"Authorization": "Bearer unknown"}, 401),
    "another scheme": ("/reports", {"Authorization": "Basic x"}, 401),
    "too little scope": ("/all/x", {"Authorization": "Bearer {read}"}, 403),
    "no rule for the method": ("/described", {"Authorization": "Bearer {read}"}, 403),
}


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED.values(), ids=REFUSED)
def test_a_page_reads_refusals_with_their_challenge(page, path, headers, status):
    shop = page()
    token = issue(shop.app, scope="read")

    shown = shop.fetch(path, headers={name: value.format(read=token) for name, value in headers.items()})

    assert shown.status == status and shown.headers["www-authenticate"].startswith("Bearer ")


def test_a_page_reads_when_to_try_again(page):
    environ = make_environ("GET", "/reports", HTTP_ORIGIN=ORIGIN, **{"wsgi.multiprocess": True})
    answer = call(page().app.app, environ)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert cors_headers(answer) == {"Access-Control-Allow-Origin": ORIGIN, "Access-Control-Expose-Headers": EXPOSED}


OWN = {
    "token": ("/oauth/token", b"grant_type=client_credentials", 200),
    "token, wrongly": ("/oauth/token", b"grant_type=password", 400),
    "introspection": ("/oauth/introspect", b"token=x", 200),
    "revocation": ("/oauth/revoke", b"token=x", 200),
    "revocation, wrongly": ("/oauth/revoke", b"", 400),
}


@pytest.mark.parametrize(("path", "body", "status"), OWN.values(), ids=OWN)
def test_a_page_uses_the_endpoints(page, path, body, status):
    shop = page()

    assert shop.fetch(path, "POST", {**FORM, **TESTER}, body).status == status
    assert [each["access-control-allow-methods"] for each in shop.preflights] == ["POST"]


def test_a_page_reads_that_its_credentials_are_wrong(page):
    shown = page().fetch("/oauth/token", "POST", FORM, b"grant_type=client_credentials&client_id=x&client_secret=y")

    assert (shown.status, shown.headers["www-authenticate"]) == (401, 'Basic realm="api", charset="UTF-8"')


DOCUMENTS = ["/oauth/jwks", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_page_reads_documents(page, path):
    shop = page(issuer="https://api.example.com", cors_headers="X-Trace")

    assert shop.fetch(path, headers={"X-Trace": "1"}).status == 200
    assert [each["access-control-allow-methods"] for each in shop.preflights] == ["GET, HEAD"]
    assert shop.fetch(path, "POST").status == 405


COMMON = "GET, HEAD, POST, PUT, PATCH, DELETE"
NAMED = f"{COMMON}, OPTIONS, REPORT"
METHODS = {
    "methods of several rules": ("/reports/7", "DELETE", "GET, HEAD, DELETE, REPORT"),
    "a method without a rule": ("/reports/7", "PUT", "GET, HEAD, DELETE, REPORT"),
    "OPTIONS": ("/described", "OPTIONS", "OPTIONS"),
    "any method": ("/all/x", "PUT", NAMED),
    "any method, with a name of its own": ("/all/x", "PURGE", f"{NAMED}, PURGE"),
    "any method, in lower case": ("/all/x", "patch", f"{NAMED}, patch"),
    "no rule for the path": ("/other", "PUT", NAMED),
    "an empty path": ("", "PUT", NAMED),
    "the wildcard as a method": ("/all/x", "*", NAMED),
    "no method": ("/all/x", "", NAMED),
    "what is no method": ("/all/x", "PUT, X", NAMED),
    "a line break": ("/all/x", "PUT\r\nX-Evil: 1", NAMED),
    "a long one": ("/all/x", "P" * 65, NAMED),
    "bytes": ("/all/x", "P\xff", NAMED),
}


@pytest.mark.parametrize(("path", "method", "allowed"), METHODS.values(), ids=METHODS)
def test_a_preflight_is_answered_with_the_methods_of_the_rules(page, path, method, allowed):
    answer = call(page().app.app, preflight(path, method))

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Expose-Headers": EXPOSED,
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Length": "0",
        "Vary": "Origin",
    }


@pytest.mark.parametrize("names", ["If-Match X-Trace", "*"])
def test_a_page_sends_its_token_and_the_headers_that_are_configured(page, names):
    shop = page(cors_headers=names, cors_max_age_seconds=0)
    token = bearer(issue(shop.app))

    assert shop.fetch("/all/x", "PUT", {**token, "X-Trace": "1", "If-Match": "*"}).status == 200
    assert shop.preflights[0]["access-control-max-age"] == "0"


def test_a_page_sends_no_other_header_and_no_other_method(page):
    shop = page()

    for method, headers in (("GET", {"X-Trace": "1"}), ("PUT", {})):
        with pytest.raises(Blocked, match="not allowed"):
            shop.fetch("/reports", method, headers)


# Which preflights reach the app.
REACHES = {
    "a guarded path": ({}, "/reports", False),
    "a path without a rule": ({}, "/other", False),
    "a path that is left to the app": ({"delay_auth_decision": True}, "/other", False),
    "a guarded path with the option preflight": ({"preflight": True}, "/reports", False),
    "a public path": ({"public_paths": ["/health"]}, "/health", True),
    "a ruled path below a public one": ({"public_paths": ["/x", "/*"]}, "/reports/7", False),
}


@pytest.mark.parametrize("value", [None, "Bearer {token}", "Bearer unknown"], ids=["", "token", "bad token"])
@pytest.mark.parametrize(("options", "path", "reached"), REACHES.values(), ids=REACHES)
def test_the_app_gets_preflights_of_public_paths_alone(page, options, path, reached, value):
    shop = page(app=answering("200 OK"), **options)
    authorization = value and value.format(token=issue(shop.app))

    answer = call(shop.app.app, preflight(path, HTTP_AUTHORIZATION=authorization))

    assert (answer.status, answer.body) == (200, b"the app's own" if reached else b"")


OTHER_ORIGINS = {
    "another": "https://evil.example",
    "other case": "https://APP.example.com",
    "another scheme": "http://app.example.com",
    "a port": "https://app.example.com:8443",
    "the default port": "https://app.example.com:443",
    "a final slash": f"{ORIGIN}/",
    "a subdomain": "https://x.app.example.com",
    "a suffix": f"{ORIGIN}.evil.example",
    "several": f"{ORIGIN} https://evil.example",
    "several, joined": f"{ORIGIN}, {ORIGIN}",
    "null": "null",
    "nothing": "",
    "the wildcard": "*",
    "bytes": f"{ORIGIN}\xff",
    "a line break": f"{ORIGIN}\r\nX-Evil: 1",
}
ASKED = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
ANSWERED = [
    ("OPTIONS", "/reports", ASKED, 200),
    ("OPTIONS", "/oauth/token", ASKED, 200),
    ("GET", "/reports", {}, 401),
    ("GET", "/oauth/token", {}, 405),
]


@pytest.mark.parametrize("origin", OTHER_ORIGINS.values(), ids=OTHER_ORIGINS)
def test_another_origin_gets_the_same_answer_without_cors(page, origin):
    app = page().app.app

    for method, path, keys, status in ANSWERED:
        answer = call(app, make_environ(method, path, HTTP_ORIGIN=origin, **keys))
        assert (answer.status, cors_headers(answer), "Origin" in answer.headers["Vary"]) == (status, {}, True)


def test_vary_names_origin_beside_what_it_had(page):
    app = page().app

    assert app.get("/reports", status=401).headers.getall("Vary") == ["Authorization, Origin"]
    assert app.post("/oauth/token", headers=TESTER, status=400).headers.getall("Vary") == ["Origin"]


def test_with_the_wildcard_every_origin_gets_the_same_answer(page):
    app = page(cors_origins="*").app.app
    requests = [make_environ("GET", "/reports", HTTP_ORIGIN=origin) for origin in (None, "null", "*", ORIGIN)]
    answers = [call(app, environ) for environ in requests]

    assert [cors_headers(each)["Access-Control-Allow-Origin"] for each in answers] == ["*"] * 4
    assert {each.headers["Vary"] for each in answers} == {"Authorization"}
    assert "Vary" not in call(app, preflight("/reports")).headers


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example"])
def test_accepted_responses_are_the_apps(page, origin):
    app = page(app=answering("200 OK", [("Vary", "Accept")])).app
    answer = app.get("/other", headers={**bearer(issue(app)), "Origin": origin})

    assert cors_headers(answer) == {} and answer.headers.getall("Vary") == ["Accept"]


def test_without_the_option_nothing_carries_cors(page):
    app = page(cors_origins=None).app.app

    assert [call(app, preflight(path)).status for path in ("/reports", "/oauth/token")] == [401, 405]
    assert cors_headers(call(app, make_environ("GET", "/reports", HTTP_ORIGIN=ORIGIN))) == {}


ASKING = {"HTTP_ORIGIN": ORIGIN, **ASKED}
NO_PREFLIGHT = {
    "no requested method": ("OPTIONS", {"HTTP_ORIGIN": ORIGIN}),
    "no origin": ("OPTIONS", ASKED),
    "lower case": ("options", ASKING),
    "HEAD": ("HEAD", ASKING),
    "GET": ("GET", ASKING),
}


@pytest.mark.parametrize(("method", "headers"), NO_PREFLIGHT.values(), ids=NO_PREFLIGHT)
def test_what_is_no_preflight_is_guarded(page, method, headers):
    assert call(page().app.app, make_environ(method, "/reports", **headers)).status == 401


AMBIGUOUS = {"a dot segment": ("/x/../reports", {}), "a moved root": ("/reports", {"HTTP_X_VHM_ROOT": "/x"})}


@pytest.mark.parametrize(("path", "keys"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_preflight_of_an_ambiguous_path_is_refused(page, path, keys):  # P-01
    answer = call(page().app.app, preflight(path, **keys))

    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (400, ORIGIN)


def test_paths_are_relative_to_the_mount(page):  # P-06
    app = page(public_paths=["/mnt/*"]).app.app
    mounted = [call(app, preflight(path, SCRIPT_NAME="/mnt")) for path in ("/oauth/token", "/reports")]

    allowed = [each.headers["Access-Control-Allow-Methods"] for each in mounted]
    assert allowed == ["POST", "GET, HEAD, DELETE, REPORT"]


def test_a_preflight_of_a_token_path_that_is_off_is_one_of_a_guarded_path(page):
    answer = call(page(token_path="off").app.app, preflight("/oauth/token"))

    assert answer.headers["Access-Control-Allow-Methods"] == NAMED


@pytest.mark.parametrize(("framework", "path"), [(name, paths[0]) for name, (_, paths) in APPS.items()])
def test_a_page_reads_refusals_of_views(page, framework, path):
    shop = page(app=APPS[framework][0](), required_scopes=None)

    shown = shop.fetch(path, headers=bearer(issue(shop.app, scope="read")))

    assert (shown.status, "www-authenticate" in shown.headers) == (403, True)


def test_a_page_reads_refusals_and_responses_of_an_app_with_cors_of_its_own(page):
    app = flask.Flask(__name__)
    flask_cors.CORS(app, origins=[ORIGIN])
    app.get("/any")(require_scope("read")(lambda: "the view ran"))
    shop = page(app=app, required_scopes=None)
    tokens = [bearer(issue(shop.app, scope=scope)) for scope in ("read", "write")]

    assert [shop.fetch("/any", headers=each).status for each in tokens] == [200, 403]
    assert "www-authenticate" in shop.fetch("/any", headers=tokens[1]).headers
