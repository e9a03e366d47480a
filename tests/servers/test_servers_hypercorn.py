"""hypercorn, an ASGI server that serves WSGI apps too: it begins to answer with the first piece of a body."""

from __future__ import annotations

import pytest
from hosting import running
from wire import ask

pytestmark = pytest.mark.slow

DOCUMENT = "/.well-known/oauth-authorization-server"
HEADS = {"/whoami": 401, "/admin//x": 400, "/public": 200, "/oauth/jwks": 200, DOCUMENT: 200}
HEADS |= {f"/oauth/{endpoint}": 405 for endpoint in ("token", "revoke", "introspect")}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running("hypercorn", tmp_path_factory.mktemp("hypercorn"), issuer="https://api.example") as started:
        yield started


@pytest.mark.parametrize(("path", "status"), HEADS.items())
def test_head_is_answered_without_a_body(server, path, status):  # H-16
    answer = ask(server, "HEAD", path)
    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_document_that_is_known_is_answered_without_a_body(server, method):
    etag = ask(server, "GET", DOCUMENT).headers["ETag"]

    answer = ask(server, method, DOCUMENT, {"If-None-Match": etag})

    assert (answer.status, answer.body) == (304, b"")
