"""How documents are answered: methods, caches, conditions, outages."""

from __future__ import annotations

import pytest

from helpers.support import one_store
from helpers.wsgi_client import call, make_environ
from oauth_mw import StoreUnavailable
from oauth_mw.keys.keypair import make
from oauth_mw.keys.ring import KeyRing

pytestmark = one_store

ISSUER = "https://auth.example"
PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/oauth/jwks"]


@pytest.fixture
def ring(store, clock):
    return KeyRing(store, clock, clock, algorithm="ES256", lifetime=None, lead=300, secret=None)


@pytest.fixture
def send(wrap, ring):
    """Ask for a path of a server that has a key."""
    ring.add(make("ES256"))
    app = wrap(issuer=ISSUER).app
    return lambda path, method="GET", **keys: call(app, make_environ(method, path, **keys))


@pytest.mark.parametrize("path", PATHS)
def test_documents_may_be_kept_for_a_while_and_read_by_any_page(send, path):  # M-01
    answer = send(path)

    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get(send, path):  # M-01, H-16
    head, get = send(path, "HEAD"), send(path)

    assert (head.status, head.headers, head.body) == (200, get.headers, b"")
    assert int(get.headers["Content-Length"]) == len(get.body) > 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"])
def test_only_get_and_head_are_answered(send, path, method):  # M-01
    answer = send(path, method)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.body == b'{"error": "invalid_request", "error_description": "Only GET and HEAD are allowed here"}'


KNOWN = ["{}", "W/{}", ' "x" , {}', '"a,b",W/{} , "c"', "*"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", KNOWN)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_is_told_so(send, path, value, method):
    full = send(path).headers
    answer = send(path, method, HTTP_IF_NONE_MATCH=value.format(full["ETag"]))

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {name: full[name] for name in ("ETag", "Cache-Control", "Access-Control-Allow-Origin")}


ODD = {
    "another tag": {"HTTP_IF_NONE_MATCH": '"x"'},
    "no tag": {"HTTP_IF_NONE_MATCH": "x"},
    "empty": {"HTTP_IF_NONE_MATCH": ""},
    "a star and more": {"HTTP_IF_NONE_MATCH": '*, "x"'},
    "quotes": {"HTTP_IF_NONE_MATCH": '"' * 8000},
    "commas": {"HTTP_IF_NONE_MATCH": "," * 8000},
    "bytes": {"HTTP_IF_NONE_MATCH": "\xff\0"},
    "a date": {"HTTP_IF_MODIFIED_SINCE": "Tue, 24 Nov 99999999999 00:00:00 GMT"},
    "a range": {"HTTP_RANGE": "bytes=0-1"},
    "a range that is no number": {"HTTP_RANGE": "bytes=0-" + "9" * 5000},
    "if range": {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": "\xff"},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("keys", ODD.values(), ids=ODD)
def test_odd_conditions_change_nothing(send, path, keys):  # H-12
    assert send(path, **keys)[:3] == send(path)[:3]


def test_workers_agree_on_the_tags(wrap, ring):
    ring.add(make("ES256"))
    ring.add(make("RS256"))
    apps = [wrap(issuer=ISSUER), wrap(issuer=ISSUER)]

    assert [len({app.get(path).headers["ETag"] for app in apps}) for path in PATHS] == [1, 1, 1]


def test_another_key_is_another_set(wrap, ring):
    ring.add(make("ES256"))
    before = wrap(issuer=ISSUER).get("/oauth/jwks")
    ring.add(make("ES256"))
    after = wrap(issuer=ISSUER).get("/oauth/jwks", headers={"If-None-Match": before.headers["ETag"]})

    assert (len(before.json["keys"]), len(after.json["keys"])) == (1, 2)


def test_nobody_keeps_a_set_without_keys(wrap):
    """The first key signs at once."""
    answer = wrap(issuer=ISSUER).get("/oauth/jwks")

    assert (answer.json, answer.headers["Cache-Control"]) == ({"keys": []}, "no-cache")


def down():
    raise StoreUnavailable("down")


def test_a_key_set_that_cannot_be_read_is_an_outage(wrap, store, monkeypatch):
    monkeypatch.setattr(store, "read_keys", down)
    answer = wrap(issuer=ISSUER).get("/oauth/jwks", status=503)

    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("1", "no-store")


def test_metadata_need_no_store(wrap, store, monkeypatch):
    monkeypatch.setattr(store, "read_keys", down)
    app = wrap(issuer=ISSUER)

    assert [app.get(path).status_int for path in PATHS[:2]] == [200, 200]


def test_other_endpoints_still_take_post_alone(send):  # T-06, R-08, I-08
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        answer = send(path)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.body == b'{"error": "invalid_request", "error_description": "Only POST is allowed here"}'
