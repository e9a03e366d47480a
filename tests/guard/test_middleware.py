from __future__ import annotations

from helpers.support import SECRET, basic, bearer, issue

CC = {"grant_type": "client_credentials"}


def test_an_issued_token_opens_the_app(wrap, client):  # T-01, B-02
    app = wrap()

    answer = app.get("/any", headers=bearer(issue(app)))

    assert answer.text == "MARKER tester read write"


def test_without_a_token_the_app_is_closed(wrap):  # B-01, B-23
    answer = wrap().get("/any", status=401)

    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "MARKER" not in answer.text


def test_the_answer_is_that_of_the_rfc(wrap, client):  # T-02, T-03
    answer = wrap().post("/oauth/token", CC, headers=basic("tester", SECRET))

    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json["expires_in"] == 3600
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_revoked_token_is_refused_at_once(wrap, client):
    app = wrap()
    token = issue(app)
    app.get("/any", headers=bearer(token))

    app.post("/oauth/revoke", {"token": token}, headers=basic("tester", SECRET))

    app.get("/any", headers=bearer(token), status=401)


def test_a_live_token_is_active(wrap, client):  # I-01
    app = wrap()

    answer = app.post("/oauth/introspect", {"token": issue(app)}, headers=basic("tester", SECRET))

    assert answer.json["active"] is True
