"""Odd header sections and environs change nothing, and nothing odd goes out."""

from __future__ import annotations

import io
from urllib.parse import quote

import pytest

from helpers.support import TESTER, bearer, one_store
from helpers.wsgi_client import Untouched, call, challenge_of, make_environ, post_form

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"
CLIENT = {"HTTP_AUTHORIZATION": TESTER["Authorization"]}
ENDPOINTS = {
    "token_path": "/oauth/token",
    "revocation_path": "/oauth/revoke",
    "introspection_path": "/oauth/introspect",
}

pytestmark = one_store


@pytest.mark.parametrize(("option", "path"), ENDPOINTS.items(), ids=ENDPOINTS)
def test_the_path_of_an_endpoint_is_an_option_and_the_usual_one_is_then_guarded(wrap, client, option, path):
    for other in ("off", "/v1/other"):
        app = wrap(**{option: other})
        assert challenge_of(post_form(app.app, CC + b"&token=x", path, **CLIENT)).scheme == "Bearer"
    assert post_form(app.app, CC + b"&token=x", "/v1/other", **CLIENT).status == 200


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
HOSTS = ["", "a, b", "a:b:c", "[::1", "\xff", " ", "a" * 10_000, "a\r\nb", "user@host:99999"]


def test_odd_headers_change_nothing(app, token):  # H-12, H-15, H-17
    good = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    for keys in [*ODD.values(), *({"HTTP_HOST": host} for host in HOSTS)]:
        answers = [post_form(app.app, CC, **each, **keys) for each in (CLIENT, {})]
        answers += [call(app.app, make_environ("GET", "/any", **each, **keys)) for each in (good, {})]
        assert [answer.status for answer in answers] == [200, 401, 200, 401], keys


@pytest.mark.parametrize(
    "key", ["PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST"]
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_keys_may_be_missing_or_empty(app, key, value):  # H-13, H-17
    assert call(app.app, make_environ("GET", "/any", **{key: value})).status == 401
    assert post_form(app.app, CC, **{key: value}).status in (400, 401)


def test_an_empty_environ_but_for_the_method_is_guarded(app):  # H-13
    assert call(app.app, {"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()}).status == 401


@pytest.mark.parametrize("path", ["/\xff\xfe", "/\xc3\xa9", "/\xed\xa0\x80", "/" + "\x80" * 5000, "/" + "a/" * 20_000])
def test_a_path_may_hold_any_byte(app, token, path):  # H-13
    assert call(app.app, make_environ("GET", path)).status == 401
    assert call(app.app, make_environ("GET", path, HTTP_AUTHORIZATION=f"Bearer {token}")).status == 200


INJECTED = "\r\nSet-Cookie: a=b\r\n\r\n<html>"


@pytest.mark.parametrize("path", ENDPOINTS.values())
def test_line_breaks_in_a_parameter_never_become_a_header(app, path):  # H-15
    for name in ("grant_type", "scope", "state", "client_id", "client_secret", "token"):
        body = CC + b"&" if name != "grant_type" else b""
        for credentials in ({}, CLIENT):
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


@pytest.mark.parametrize("path", ["/any", *ENDPOINTS.values(), "/ruled", "/ruled//x"])
def test_head_answers_have_no_body_and_the_headers_of_get(wrap, client, path):  # H-16, T-22
    app = wrap(required_scopes=[("GET", "/ruled", "read")])
    for value in (None, "Bearer bad", "Basic x"):
        environs = [make_environ(method, path, HTTP_AUTHORIZATION=value) for method in ("HEAD", "GET")]
        head, get = (call(app.app, environ) for environ in environs)
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
        assert int(get.headers["Content-Length"]) == len(get.body) > 0
        # Some servers begin to answer with the first piece of a body, so there is one, even if it is empty.
        assert [len(list(app.app(environ, lambda *_: None))) for environ in environs] == [1, 1]


METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "BREW"]


@pytest.mark.parametrize("path", ENDPOINTS.values())
def test_every_endpoint_takes_only_post(app, token, path):  # T-05, T-06, H-16, H-22, R-08, I-08
    query = f"{CC.decode()}&token={token}"
    keys = {"QUERY_STRING": query, "CONTENT_LENGTH": str(len(query)), "wsgi.input": Untouched(query.encode())}
    for method in METHODS:
        answer = call(app.app, make_environ(method, path, CONTENT_TYPE=FORM, **CLIENT, **keys))
        body = b'{"error": "invalid_request", "error_description": "Only POST is allowed here"}'
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.body == (b"" if method == "HEAD" else body)
    assert app.get("/any", headers=bearer(token)).status_int == 200
