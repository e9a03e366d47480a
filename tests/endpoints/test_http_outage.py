"""A store that does not answer: 503, never 401, never *revoked: yes*; and no request passes."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers.support import CC, SECRET, TESTER, bearer, echo, issue
from helpers.wsgi_client import call, make_environ
from oauth_mw import OAuthMiddleware, admin, open_store


@pytest.fixture
def store(tmp_path, clock):
    """An SQLite store that waits for a tenth of a second."""
    (tmp_path / "store").mkdir()
    opened = open_store(f"sqlite:///{tmp_path}/store/oauth.db", create=True, clock=clock, timeout=0.1)
    yield opened
    opened.close()


def unavailable(answer):
    """True for the one answer of an outage."""
    assert answer.content_type == "application/json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert not any(mark in answer.text for mark in ("MARKER", "SQL", "sqlite", "/", "Traceback", "locked", "active"))
    return answer.status_int == 503 and answer.json["error"] == "temporarily_unavailable"


def test_nothing_is_issued_or_revoked_without_a_write(app, token, store):  # L-03, R-16
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        assert unavailable(app.post("/oauth/token", CC, headers=TESTER, status=503))
        assert unavailable(app.post("/oauth/revoke", {"token": token}, headers=TESTER, status=503))
        app.get("/any", headers=bearer(token), status=200)

    assert issue(app)  # L-06
    app.post("/oauth/revoke", {"token": token}, headers=TESTER, status=200)
    app.get("/any", headers=bearer(token), status=401)


def test_no_request_passes_while_tokens_cannot_be_read(wrap, client, tmp_path, caplog):  # H-16, L-03, P-04
    token = issue(wrap())
    (tmp_path / "store").rename(tmp_path / "away")
    caplog.set_level("WARNING", "oauth_mw")
    app = wrap(public_paths=["/public"])  # a worker that starts in an outage

    assert unavailable(app.get("/any", headers=bearer(token), status=503))
    assert unavailable(wrap(delay_auth_decision=True).get("/any", headers=bearer(token), status=503))
    assert unavailable(app.post("/oauth/token", CC, headers=TESTER, status=503))
    assert unavailable(app.post("/oauth/introspect", {"token": token}, headers=TESTER, status=503))
    assert unavailable(app.post("/oauth/revoke", {"token": token}, headers=TESTER, status=503))
    for method in ("HEAD", "POST"):
        assert call(app.app, make_environ(method, "/any", HTTP_AUTHORIZATION=f"Bearer {token}")).status == 503
    app.get("/any", status=401)
    app.get("/public", status=200)
    assert ["cannot be opened" in message for message in caplog.messages] == [True] * 2  # once for each middleware

    (tmp_path / "away").rename(tmp_path / "store")
    wrap().get("/any", headers=bearer(token), status=200)


def test_a_store_in_memory_does_not_serve_several_processes(clock):  # L-03, B-21
    memory = open_store("memory://", clock=clock)
    admin.add_client(memory, "x", client_id="tester", secret=SECRET)
    app = OAuthMiddleware(echo, store=memory)
    bearer_x = {"HTTP_AUTHORIZATION": "Bearer x"}
    environs = [make_environ(**bearer_x), make_environ(), make_environ("POST", "/oauth/token", b"x=y")]
    for environ in environs:
        answer = call(app, {**environ, "wsgi.multiprocess": True})
        assert (answer.status, b"temporarily_unavailable" in answer.body) == (503, True)
    assert call(app, environs[1] | {"wsgi.multiprocess": False}).status == 401
