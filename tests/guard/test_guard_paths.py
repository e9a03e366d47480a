"""Which paths are guarded: all that are not opened by name (the rules themselves have tests of their own)."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, basic, bearer, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ, post_form

RULES = [("GET", "/reports/*", "read"), ("*", "/reports/*", "write"), ("POST", "/jobs/{id}", "write")]

pytestmark = one_store


@pytest.fixture
def app(wrap, client):
    return wrap(public_paths=["/public", "/open/*", "/p/{name}/icon"])


@pytest.fixture
def ruled(wrap, client):
    return wrap(public_paths=["/public"], required_scopes=RULES)


def get(app, path, **keys):
    return call(app.app, make_environ("GET", path, **keys))


@pytest.mark.parametrize("path", ["/public", "/open", "/open/", "/open/a/b", "/p/x/icon"])
def test_a_public_path_needs_no_token(app, path):  # P-01, P-04
    assert get(app, path).body == b"MARKER None None"


AMBIGUOUS = {
    "dot dot": "/public/../admin",
    "dot dot below": "/open/../admin",
    "dot dot at the end": "/open/..",
    "dot": "/open/./x",
    "dot at the end": "/open/.",
    "double slash": "//public",
    "double slash below": "/open//x",
    "double slash at the end": "/open//",
    "encoded dots": "/open/%2e%2e/admin",
    "twice encoded dots": "/open/%252e%252e/admin",
    "encoded slash": "/open%2f..%2fadmin",
    "dot dot semicolon": "/open/..;/admin",
    "semicolon": "/open/x;y=z",
    "semicolon on it": "/public;x",
    "backslash": "/open/..\\admin",
    "backslash first": "\\public",
    "NUL": "/public\0",
    "NUL below": "/open/x\0.html",
    "encoded NUL": "/open/%00",
    "line feed": "/open/x\n",
    "DEL": "/open/\x7f",
    "tab": "/open/\t",
}
NEAR = {
    "capitals": "/Public",
    "longer": "/publicx",
    "slash": "/public/",
    "below": "/public/x",
    "shorter": "/publi",
    "longer prefix": "/openx/y",
    "capitals below": "/Open/x",
    "space": "/public ",
    "query in the path": "/public?x",
    "suffix": "/public.json",
    "no slash": "public",
    "absolute form": "http://host/public",
    "star": "*",
    "empty": "",
    "root": "/",
    "well known": "/.well-known/x",
    "deeper than the placeholder": "/p/x/y/icon",
    "nothing in the placeholder": "/p//icon",
    "full width": "/ｐublic".encode().decode("latin-1"),
    "bytes": "/\xff\xfe",
    "authority form": "host:443",
}


@pytest.mark.parametrize("path", [*AMBIGUOUS.values(), *NEAR.values()], ids=[*AMBIGUOUS, *NEAR])
def test_what_is_not_exactly_public_is_guarded(app, path):  # P-01, H-13
    answer = get(app, path)

    assert (answer.status, b"MARKER" in answer.body) == (401, False)
    assert challenge_of(answer).scheme == "Bearer"


@pytest.mark.parametrize("path", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_path_is_refused_when_there_are_rules(ruled, path):  # P-01
    token = issue(ruled)

    for keys in ({}, {"HTTP_AUTHORIZATION": f"Bearer {token}"}):
        answer = get(ruled, path, **keys)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)


@pytest.mark.parametrize("path", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_path_passes_with_any_token_when_asked_for(wrap, client, path):  # P-01
    app = wrap(required_scopes=RULES, ambiguous_paths="pass")
    token = issue(app, scope="read")

    assert get(app, path).status == 401
    assert get(app, path, HTTP_AUTHORIZATION=f"Bearer {token}").status == 200


VARIANTS = [
    "/oauth/token/",
    "//oauth/token",
    "/oauth//token",
    "/OAuth/Token",
    "/oauth/token;a=b",
    "/oauth/token\0",
    "/oauth/token.json",
    "/oauth/token%20",
    "/oauth/token ",
    "/oauth/./token",
    "/oauth/token/../../admin",
    "/x/oauth/token",
    "oauth/token",
    "/oauth/revoke/",
    "/oauth/introspect/",
    "/oauth",
]


@pytest.mark.parametrize("path", VARIANTS)
def test_a_variant_of_an_own_path_is_guarded(app, ruled, path):  # P-01, P-02
    keys = {"HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"]}
    for each in (app, ruled):
        answer = post_form(each.app, b"grant_type=client_credentials", path, **keys)
        assert answer.status in (400, 401)
        assert b"MARKER" not in answer.body and b"access_token" not in answer.body


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_own_path_never_reaches_the_app(wrap, client, path, method):  # P-02
    app = wrap(public_paths=["/*"], preflight=True)
    keys = {"HTTP_ORIGIN": "https://a.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    answer = call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=f"Bearer {issue(app)}", **keys))

    assert answer.status >= 400
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"MARKER" not in answer.body


HEADERS = {
    "HTTP_X_ORIGINAL_URL": "/public",
    "HTTP_X_REWRITE_URL": "/public",
    "HTTP_X_FORWARDED_PATH": "/public",
    "HTTP_X_FORWARDED_PREFIX": "/public",
    "HTTP_X_FORWARDED_URI": "/public",
    "HTTP_X_FORWARDED_FOR": "127.0.0.1",
    "HTTP_X_FORWARDED_HOST": "localhost",
    "HTTP_X_FORWARDED_METHOD": "OPTIONS",
    "HTTP_X_FORWARDED_USER": "tester",
    "HTTP_FORWARDED": "for=127.0.0.1;host=localhost",
    "HTTP_X_HTTP_METHOD_OVERRIDE": "OPTIONS",
    "HTTP_X_METHOD_OVERRIDE": "OPTIONS",
    "HTTP_X_HTTP_METHOD": "OPTIONS",
    "HTTP_PATH_INFO": "/public",
    "HTTP_SCRIPT_NAME": "/public",
    "HTTP_REQUEST_METHOD": "OPTIONS",
    "HTTP_UPGRADE": "websocket",
    "HTTP_REFERER": "http://localhost/public",
    "HTTP_HOST": "public",
    "REQUEST_URI": "/public",
    "RAW_URI": "/public",
    "PATH_TRANSLATED": "/public",
}


@pytest.mark.parametrize(("key", "value"), HEADERS.items())
def test_no_header_lifts_the_guard(app, key, value):  # P-03
    assert get(app, "/admin", **{key: value}).status == 401


@pytest.mark.parametrize("key", [key for key in HEADERS if "METHOD" in key])
def test_no_header_changes_the_method(ruled, key):  # P-03
    keys = {key: "GET", "HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope='read')}"}

    assert call(ruled.app, make_environ("DELETE", "/reports", **keys)).status == 403


@pytest.mark.parametrize("value", ["Bearer unknown", "Bearer", "Basic x", "garbage \xff", "Bearer " + "x" * 9000, ""])
def test_a_public_path_ignores_the_authorization_header(app, value):  # P-04
    assert get(app, "/public", HTTP_AUTHORIZATION=value).body == b"MARKER None None"


def test_a_public_path_ignores_a_good_token_too(app):  # P-04
    assert app.get("/public", headers=bearer(issue(app))).text == "MARKER None None"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80, a", "", "\xff", None, "[::1"])
def test_the_host_header_flows_nowhere(app, host):  # P-05, H-17
    keys = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": "evil.example", "SERVER_NAME": "evil.example"}
    answers = [get(app, "/admin", **keys), get(app, "/oauth/token", **keys), post_form(app.app, b"a=b", **keys)]

    assert [answer.status for answer in answers] == [401, 405, 401]
    assert not any("evil" in f"{answer.headers}{answer.body!r}" for answer in answers)


@pytest.mark.parametrize("mount", ["/mnt", "/public", "/open", "/oauth/token", "/oauth"])
def test_the_mount_exempts_nothing(app, mount):  # P-06
    assert get(app, "/admin", SCRIPT_NAME=mount).status == 401
    assert get(app, "", SCRIPT_NAME=mount).status == 401
    assert get(app, "/", SCRIPT_NAME=mount).status == 401


def test_own_and_public_paths_are_relative_to_the_mount(app):  # P-06
    keys = {"SCRIPT_NAME": "/mnt", "HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"]}

    assert post_form(app.app, b"grant_type=client_credentials", "/oauth/token", **keys).status == 200
    assert post_form(app.app, b"grant_type=client_credentials", "/mnt/oauth/token", **keys).status == 401
    assert get(app, "/public", SCRIPT_NAME="/mnt").status == 200
    assert get(app, "/mnt/public").status == 401


def test_an_empty_path_is_judged_as_the_root(wrap, client):  # P-06
    assert get(wrap(public_paths=["/"]), "").status == 200
    assert get(wrap(required_scopes=[("GET", "/", "admin")]), "", HTTP_AUTHORIZATION="").status == 401


RULED = [
    ("GET", "/reports", "read", 200),
    ("HEAD", "/reports", "read", 200),
    ("GET", "/reports/", "read", 200),
    ("GET", "/reports/a/b", "read", 200),
    ("POST", "/reports", "read", 403),
    ("post", "/reports", "read", 403),
    ("POST", "/reports/x", "write", 200),
    ("GET", "/reports", "write", 403),
    ("POST", "/jobs/1", "write", 200),
    ("POST", "/jobs/1/", "write", 200),
    ("POST", "/jobs/1", "read", 403),
    ("GET", "/jobs/1", "read write", 403),
    ("DELETE", "/jobs/1/", "read write", 403),
    ("GET", "/jobs/1/2", "read", 200),
    ("GET", "/reportsx", "write", 200),
]


@pytest.mark.parametrize(("method", "path", "scope", "status"), RULED)
def test_the_rules_are_in_effect(ruled, method, path, scope, status):  # S-11, B-13
    keys = {"HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope=scope)}"}

    assert call(ruled.app, make_environ(method, path)).status == 401
    assert call(ruled.app, make_environ(method, path, **keys)).status == status
