"""Odd header sections and environs change nothing, and nothing odd goes out."""

from __future__ import annotations

import io
from urllib.parse import quote

import pytest

from helpers.support import SECRET, basic, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ, post_form

CC = b"grant_type=client_credentials"

pytestmark = one_store

ODD = {
    "Content_Length": {"HTTP_CONTENT_LENGTH": "3"},
    "Content_Type": {"HTTP_CONTENT_TYPE": "application/json"},
    "folded": {"HTTP_X_FOLDED": "a\r\n b"},
    "NUL": {"HTTP_X_NUL": "a\0b"},
    "latin-1": {"HTTP_X_LATIN": "\xe4\xff\x80"},
    "64 kB": {"HTTP_X_LONG": "x" * 65536},
    "300 lines": {f"HTTP_X_{n}": "y" for n in range(300)},
    "no name": {"HTTP_": "x"},
    "Expect": {"HTTP_EXPECT": "100-continue"},
    "Range": {"HTTP_RANGE": "bytes=0-0"},
    "conditional": {"HTTP_IF_NONE_MATCH": "*", "HTTP_IF_MODIFIED_SINCE": "Tue, 24 Nov 2099 00:00:00 GMT"},
    "Upgrade": {"HTTP_UPGRADE": "h2c", "HTTP_CONNECTION": "Upgrade"},
    "method override": {"HTTP_X_HTTP_METHOD_OVERRIDE": "GET"},
    "cookie": {"HTTP_COOKIE": "a=b; \xff"},
    "dates": {"HTTP_DATE": "yesterday"},
}


@pytest.fixture
def app(wrap, client):
    return wrap()


@pytest.mark.parametrize("keys", ODD.values(), ids=ODD)
def test_odd_headers_change_nothing(app, keys):  # H-12, H-15
    header = basic("tester", SECRET)["Authorization"]

    assert post_form(app.app, CC, HTTP_AUTHORIZATION=header, **keys).status == 200
    assert post_form(app.app, CC, **keys).status == 401
    assert call(app.app, make_environ("GET", "/any", **keys)).status == 401
    token = issue(app)
    assert call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}", **keys)).status == 200


LEGAL_TO_MISS = [
    "PATH_INFO",
    "SCRIPT_NAME",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "HTTP_HOST",
    "wsgi.errors",
]


@pytest.mark.parametrize("key", LEGAL_TO_MISS)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_keys_may_be_missing_or_empty(app, key, value):  # H-13, H-17
    keys = {key: value} if key != "wsgi.errors" else {key: io.StringIO()}

    assert call(app.app, make_environ("GET", "/any", **keys)).status == 401
    assert post_form(app.app, CC, **keys).status in (400, 401)


def test_an_empty_environ_but_for_the_method_is_guarded(app):  # H-13
    assert call(app.app, {"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()}).status == 401


@pytest.mark.parametrize("path", ["/\xff\xfe", "/\xc3\xa9", "/\xed\xa0\x80", "/" + "\x80" * 5000, "/" + "a/" * 20_000])
def test_a_path_may_hold_any_byte(app, path):  # H-13
    assert call(app.app, make_environ("GET", path)).status == 401
    token = issue(app)
    assert call(app.app, make_environ("GET", path, HTTP_AUTHORIZATION=f"Bearer {token}")).status == 200


@pytest.mark.parametrize("host", ["", "a, b", "a:b:c", "[::1", "\xff", " ", "a" * 10_000, "a\r\nb", "user@host:99999"])
def test_a_broken_host_is_no_server_error(app, host):  # H-17
    header = basic("tester", SECRET)["Authorization"]

    assert post_form(app.app, CC, HTTP_AUTHORIZATION=header, HTTP_HOST=host).status == 200
    assert call(app.app, make_environ("GET", "/any", HTTP_HOST=host)).status == 401


INJECTED = "\r\nSet-Cookie: a=b\r\n\r\n<html>"


@pytest.mark.parametrize("name", ["grant_type", "scope", "state", "client_id", "client_secret", "token"])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_line_breaks_in_a_parameter_never_become_a_header(app, path, name):  # H-15
    body = CC + b"&" if name != "grant_type" else b""
    for credentials in ({}, {"HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"]}):
        answer = post_form(app.app, body + f"{name}={quote('x' + INJECTED)}".encode(), path, **credentials)
        assert b"html" not in answer.body
        assert "a=b" not in str(answer.headers)


@pytest.mark.parametrize("place", ["PATH_INFO", "QUERY_STRING", "HTTP_AUTHORIZATION", "REQUEST_METHOD", "HTTP_HOST"])
def test_line_breaks_elsewhere_never_become_a_header(wrap, client, place):  # H-15
    app = wrap(required_scopes=[("GET", "/any", "read")])
    for value in ("/any" + INJECTED, "Bearer x" + INJECTED, "Basic x" + INJECTED):
        answer = call(app.app, {**make_environ("GET", "/any"), place: value})
        assert answer.status in (400, 401)
        assert "a=b" not in str(answer.headers) and b"html" not in answer.body


PATHS = ["/any", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/ruled", "/ruled//x"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [None, "Bearer bad", "Basic x"])
def test_head_answers_have_no_body_and_the_headers_of_get(wrap, client, path, value):  # H-16, T-22
    app = wrap(required_scopes=[("GET", "/ruled", "read")])
    head, get = (call(app.app, make_environ(method, path, HTTP_AUTHORIZATION=value)) for method in ("HEAD", "GET"))

    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(get.headers["Content-Length"]) == len(get.body) > 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_of_ours_has_a_piece_of_body(wrap, path, method):  # H-16
    """Be it an empty one: some servers begin to answer with it."""
    app = wrap(required_scopes=[("GET", "/ruled", "read")])

    assert len(list(app.app(make_environ(method, path), lambda *_: None))) == 1


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_every_endpoint_takes_only_post(app, path):  # T-06, R-08, I-08
    for method in ("GET", "HEAD", "PUT", "OPTIONS", "post", "BREW"):
        answer = call(app.app, make_environ(method, path))
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_refusal_varies_with_the_authorization(app):
    answer = call(app.app, make_environ("GET", "/any"))

    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Authorization", "no-store")
    assert challenge_of(answer).scheme == "Bearer"
