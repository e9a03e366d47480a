"""How documents are answered: methods, caches, conditions, outages."""

from __future__ import annotations

import pytest

from helpers.support import one_store
from helpers.wsgi_client import call, make_environ
from oauth_mw import StoreUnavailable
from oauth_mw.keys.keypair import make

pytestmark = one_store

ISSUER = "https://auth.example"
PATHS = ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/oauth/jwks"]


@pytest.fixture
def send(wrap, ring):
    """Ask for a path of a server that has a key."""
    ring.add(make("ES256"))
    app = wrap(issuer=ISSUER).app
    return lambda path, method="GET", **keys: call(app, make_environ(method, path, **keys))


@pytest.mark.parametrize("path", PATHS)
def test_documents_may_be_cached_and_read_by_any_page(send, path):  # M-01, H-16
    head, get = send(path, "HEAD"), send(path)

    assert (get.status, get.headers["Cache-Control"]) == (200, "public, max-age=300")
    assert get.headers["Access-Control-Allow-Origin"] == "*"
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")
    assert int(get.headers["Content-Length"]) == len(get.body) > 0


@pytest.mark.parametrize("path", PATHS)
def test_only_get_and_head_are_answered(send, path):  # M-01
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"):
        answer = send(path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert answer.body == b'{"error": "invalid_request", "error_description": "Only GET and HEAD are allowed here"}'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", ["{}", "W/{}", ' "x" , {}', '"a,b",W/{} , "c"', "*"])
def test_a_document_that_is_known_is_not_sent_again(send, path, value):
    full = send(path).headers
    for method in ("GET", "HEAD"):
        answer = send(path, method, HTTP_IF_NONE_MATCH=value.format(full["ETag"]))
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers == {name: full[name] for name in ("ETag", "Cache-Control", "Access-Control-Allow-Origin")}


ODD_TAGS = ['"x"', "x", "", '*, "x"', '"' * 8000, "," * 8000, "\xff\0"]
ODD = [
    *({"HTTP_IF_NONE_MATCH": tags} for tags in ODD_TAGS),
    {"HTTP_IF_MODIFIED_SINCE": "Tue, 24 Nov 99999999999 00:00:00 GMT"},
    {"HTTP_RANGE": "bytes=0-1"},
    {"HTTP_RANGE": "bytes=0-" + "9" * 5000},
    {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": "\xff"},
]


@pytest.mark.parametrize("path", PATHS)
def test_odd_conditions_change_nothing(send, path):  # H-12
    assert [keys for keys in ODD if send(path, **keys)[:3] != send(path)[:3]] == []


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


def test_a_set_without_keys_is_not_cached(wrap):
    """The first key signs at once."""
    answer = wrap(issuer=ISSUER).get("/oauth/jwks")

    assert (answer.json, answer.headers["Cache-Control"]) == ({"keys": []}, "no-cache")


def test_a_key_set_that_cannot_be_read_is_an_outage_and_metadata_need_no_store(wrap, store, monkeypatch):
    def down():
        raise StoreUnavailable("down")

    monkeypatch.setattr(store, "read_keys", down)
    app = wrap(issuer=ISSUER)
    answer = app.get("/oauth/jwks", status=503)

    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("1", "no-store")
    assert [app.get(path).status_int for path in PATHS[:2]] == [200, 200]
