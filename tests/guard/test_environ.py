"""What handlers downstream use: ``current_token``, ``forbidden``."""

from __future__ import annotations

import pytest
from webob import Request

from helpers.support import bearer, echo, issue
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import AccessToken, ConfigError, current_token, forbidden

STORE_KINDS = ["memory"]


def test_the_current_token_is_that_of_the_request(wrap, client, clock):  # B-17
    found = []

    def app(environ, start_response):
        found.append(current_token(environ))
        return echo(environ, start_response)

    wrapped = wrap(app, public_paths=["/public"])
    wrapped.get("/any", headers=bearer(issue(wrapped, scope="read")))
    wrapped.get("/public", headers=bearer(issue(wrapped)))

    token, nobody = found
    assert nobody is None
    assert isinstance(token, AccessToken)
    assert (token.client_id, token.scope, token.scopes) == ("tester", "read", {"read"})
    assert (token.issued_at, token.expires_at) == (int(clock()), int(clock()) + 3600)
    assert (token.audience, dict(token.attributes), token.confirmation) == ((), {}, None)


def test_has_scope_asks_for_all_and_the_token_cannot_be_changed():  # B-20, S-11
    token = AccessToken("c", "a b", frozenset(["a", "b"]), "00", 0, 1)

    assert token.has_scope() and token.has_scope("a") and token.has_scope("a", "b")
    assert not token.has_scope("a", "c") and not token.has_scope("a b")
    with pytest.raises(AttributeError):
        token.client_id = "other"


def test_the_token_id_opens_nothing(app, token):  # B-05
    environ = make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}")
    call(app.app, environ)

    app.get("/any", headers=bearer(current_token(environ).token_id), status=401)


@pytest.mark.parametrize("scopes", [("write",), ("write", "admin"), ("write admin",), ()])
def test_forbidden_answers_as_the_guard_does(wrap, client, scopes):  # S-11
    ruled = wrap(realm="the vault", required_scopes=[("*", "/*", " ".join(scopes) or "never")])
    app = wrap(lambda *args: forbidden(*scopes)(*args), realm="the vault")
    headers = bearer(issue(app, scope="read"))

    view, guard = app.get("/any", headers=headers, status=403), ruled.get("/any", headers=headers, status=403)

    assert view.body == guard.body
    if scopes:
        assert view.headerlist == guard.headerlist
    else:
        assert "scope" not in challenge_of(view).parameters


def test_forbidden_is_a_response_for_frameworks_without_a_body_for_head():  # H-16, S-11
    answer = Request.blank("/").get_response(forbidden("a"))
    head = Request.blank("/", method="HEAD").get_response(forbidden("a"))

    assert (answer.status_int, challenge_of(answer).parameters["scope"]) == (403, "a")
    assert (head.status_int, head.body) == (403, b"")


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a\r\nb", "ä", "a\tb"])
def test_a_scope_that_could_not_be_sent_is_refused(scope):  # H-15, S-06
    with pytest.raises(ConfigError, match="forbidden"):
        forbidden(scope)
