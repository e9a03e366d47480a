"""Which paths are guarded: all that are not opened by name (the rules themselves have tests of their own)."""

from __future__ import annotations

from itertools import product

import pytest

from helpers.support import TESTER, issue, one_store
from helpers.wsgi_client import PREFLIGHT, call, challenge_of, make_environ, post_form

CLIENT = {"HTTP_AUTHORIZATION": TESTER["Authorization"]}
CC = b"grant_type=client_credentials"
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


AMBIGUOUS = ["/public/../admin", "/open/../admin", "/open/.", "//public", "/open//x", "/open/%2e%2e/admin", "/open/%00"]
AMBIGUOUS += ["/open/..;/admin", "/public;x", "/open/..\\admin", "\\public", "/public\0", "/open/x\n", "/open/\x7f"]
NEAR = ["/Public", "/publicx", "/public/", "/public/x", "/publi", "/openx/y", "/public ", "/public?x", "/public.json"]
NEAR += ["public", "http://host/public", "*", "", "/", "/.well-known/x", "/\xff\xfe", "/p/x/y/icon", "/p//icon"]


def test_what_is_not_exactly_public_is_guarded(app):  # P-01, H-13
    for path in [*AMBIGUOUS, *NEAR]:
        answer = get(app, path)
        assert (answer.status, b"MARKER" in answer.body) == (401, False), path
        assert challenge_of(answer).scheme == "Bearer"


def test_an_ambiguous_path_is_refused_when_there_are_rules_unless_it_may_pass(wrap, ruled):  # P-01
    passing = wrap(required_scopes=RULES, ambiguous_paths="pass")
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope='read')}"}

    for path in AMBIGUOUS:
        answers = [get(ruled, path), get(ruled, path, **token)]
        assert [(each.status, b"invalid_request" in each.body) for each in answers] == [(400, True)] * 2, path
        assert [get(passing, path).status, get(passing, path, **token).status] == [401, 200], path


# What uWSGI passes on as a request when it reads the rest of a body as one.
LACKING = ["REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "CONTENT_TYPE"]


@pytest.mark.parametrize("lacking", [LACKING, ["REQUEST_METHOD"]], ids=["as it came", "the method alone"])
@pytest.mark.parametrize("path", ["/public", "/oauth/token", "/any"])
def test_a_request_without_a_method_is_refused(app, path, lacking):
    answer = call(app.app, make_environ("GET", path, **CLIENT, **dict.fromkeys(lacking)))

    assert (answer.status, b"invalid_request" in answer.body, b"MARKER" in answer.body) == (400, True, False)


SLASHED = ["/oauth/token/", "/oauth/revoke/", "/oauth/introspect/"]
VARIANTS = [*SLASHED, "//oauth/token", "oauth/token", "/oauth", "/x/oauth/token"]
VARIANTS += [f"/oauth/token{end}" for end in (";a=b", "\0", ".json", "%20", " ", "/../../admin")]
VARIANTS += ["/oauth//token", "/oauth/./token", "/OAuth/Token"]


def test_a_variant_of_an_own_path_is_guarded(app, ruled):  # P-01, P-02
    for path in VARIANTS:
        refused = 404 if path in SLASHED else 401
        assert post_form(app.app, CC, path, **CLIENT).status == refused, path
        answer = post_form(ruled.app, CC, path, **CLIENT)
        assert answer.status in (400, refused) and b"access_token" not in answer.body


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_an_own_path_never_reaches_the_app(wrap, client, path):  # P-02
    app = wrap(public_paths=["/*"], preflight=True)
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=f"Bearer {issue(app)}", **PREFLIGHT))
        assert answer.status >= 400
        assert answer.headers["Cache-Control"] == "no-store"
        assert b"MARKER" not in answer.body


HEADERS = """
    HTTP_FORWARDED HTTP_HOST HTTP_PATH_INFO HTTP_REFERER HTTP_REQUEST_METHOD HTTP_SCRIPT_NAME HTTP_UPGRADE
    HTTP_X_FORWARDED_FOR HTTP_X_FORWARDED_HOST HTTP_X_FORWARDED_METHOD HTTP_X_FORWARDED_PATH HTTP_X_FORWARDED_PREFIX
    HTTP_X_FORWARDED_URI HTTP_X_FORWARDED_USER HTTP_X_HTTP_METHOD HTTP_X_HTTP_METHOD_OVERRIDE HTTP_X_METHOD_OVERRIDE
    HTTP_X_ORIGINAL_URL HTTP_X_REWRITE_URL PATH_TRANSLATED RAW_URI REQUEST_URI
""".split()
VALUES = ["/public", "http://localhost/public", "public", "127.0.0.1", "for=127.0.0.1;host=localhost", "tester"]


def test_no_header_lifts_the_guard_or_changes_the_method(app, ruled):  # P-03
    keys = [{key: value} for key, value in product(HEADERS, [*VALUES, "websocket", "OPTIONS"])]
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope='read')}"}
    answers = [call(ruled.app, make_environ("DELETE", "/reports", **{key: "GET"}, **token)) for key in HEADERS]

    assert [each for each in keys if get(app, "/admin", **each).status != 401] == []
    assert {answer.status for answer in answers} == {403}


@pytest.mark.parametrize("path", ["/public", "/open", "/open/", "/open/a/b", "/p/x/icon"])
def test_a_public_path_ignores_the_authorization_header(app, path):  # P-01, P-04
    for value in (None, "Bearer unknown", "Bearer", "Basic x", "garbage \xff", "", f"Bearer {issue(app)}"):
        assert get(app, path, HTTP_AUTHORIZATION=value).body == b"MARKER None None"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80, a", "", "\xff", None, "[::1"])
def test_the_host_header_flows_nowhere(app, host):  # P-05, H-17
    keys = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": "evil.example", "SERVER_NAME": "evil.example"}
    answers = [get(app, "/admin", **keys), get(app, "/oauth/token", **keys), post_form(app.app, b"a=b", **keys)]

    assert [answer.status for answer in answers] == [401, 405, 401]
    assert not any("evil" in f"{answer.headers}{answer.body!r}" for answer in answers)


@pytest.mark.parametrize("mount", ["/mnt", "/public", "/open", "/oauth/token", "/oauth"])
def test_paths_are_relative_to_the_mount_which_exempts_nothing(app, mount):  # P-06
    keys = {"SCRIPT_NAME": mount, **CLIENT}

    assert [get(app, path, SCRIPT_NAME=mount).status for path in ("/admin", "", "/", "/mnt/public")] == [401] * 4
    assert get(app, "/public", SCRIPT_NAME=mount).status == 200
    assert post_form(app.app, CC, "/oauth/token", **keys).status == 200
    assert post_form(app.app, CC, "/mnt/oauth/token", **keys).status == 401


def test_an_empty_path_is_the_root(wrap, client):  # P-06
    assert get(wrap(public_paths=["/"]), "").status == 200
    assert get(wrap(required_scopes=[("GET", "/", "admin")]), "", HTTP_AUTHORIZATION="").status == 401


RULED = [("HEAD", "/reports", "read", 200), ("POST", "/reports", "read", 403), ("post", "/reports", "read", 403)]
RULED += [("POST", "/jobs/1/", "write", 200), ("DELETE", "/jobs/1/", "read write", 403), ("GET", "/x", "read", 200)]


@pytest.mark.parametrize(("method", "path", "scope", "status"), RULED)
def test_the_rules_are_in_effect(ruled, method, path, scope, status):  # S-11, B-13
    keys = {"HTTP_AUTHORIZATION": f"Bearer {issue(ruled, scope=scope)}"}

    assert call(ruled.app, make_environ(method, path)).status == 401
    assert call(ruled.app, make_environ(method, path, **keys)).status == status
