"""Each framework's test client sends the token that it is given, until it is given another or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flask
import pytest
from flask.testing import FlaskClient
from webtest import TestApp
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware
from oauth_mw.testing import sandbox

READER, WRITER = "MARKER reader reports:read", "MARKER writer reports:read reports:write"


class Kind(NamedTuple):
    """How a client is made from an app, and what it receives for a request: status and text."""

    make: Callable[[Any], Any]
    get: Callable[..., tuple[int, str]]


def _webtest(client: Any, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.get("/reports", headers=headers, status="*")
    return answer.status_int, answer.text


def _flask_client(middleware: OAuthMiddleware) -> FlaskClient:
    """The client of an app with the middleware in its usual place."""
    app = flask.Flask("tested")
    app.wsgi_app = middleware
    return app.test_client()


def _werkzeug(client: Any, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.get("/reports", headers=headers)
    return answer.status_code, answer.text


KINDS = {
    "WebTest": Kind(TestApp, _webtest),
    "Flask": Kind(_flask_client, _werkzeug),
    "Werkzeug": Kind(Client, _werkzeug),
    "a subclass": Kind(type("OurClient", (Client,), {}), _werkzeug),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def http_client(kind, oauth):
    return kind.make(oauth.middleware)


@pytest.fixture
def get(kind, http_client):
    return lambda headers=(): kind.get(http_client, dict(headers))


def test_a_client_sends_its_token(oauth, http_client, get):
    assert oauth.authorize(http_client, scope="reports:read", client="reader") is http_client

    assert [get(), get()] == [(200, READER)] * 2


def test_a_client_without_a_token_is_refused(get):
    assert get()[0] == 401


def test_a_token_with_too_little_scope_is_refused(oauth, http_client, get):
    oauth.authorize(http_client, scope="reports:write")

    assert get()[0] == 403


def test_a_client_sends_its_token_in_the_header_of_production(kind, production):
    with sandbox(production(authorization_header="X-Api-Token")) as oauth:
        client = oauth.authorize(kind.make(oauth.middleware), scope="reports:read", client="reader")
        answers = [kind.get(client, {"Authorization": value}) for value in ("Basic x", "Bearer x")]

        assert answers == [(200, READER)] * 2
        assert kind.get(oauth.set_token(client, None), {})[0] == 401


def test_the_last_token_is_sent(oauth, http_client, get):
    oauth.authorize(http_client, scope="reports:read", client="reader")
    oauth.authorize(http_client, scope="reports:read reports:write", client="writer")

    assert get() == (200, WRITER)


def test_a_token_can_be_taken_away(oauth, http_client, get):
    oauth.authorize(http_client, scope="reports:read")

    assert oauth.set_token(http_client, None) is http_client
    assert get()[0] == 401
    assert oauth.set_token(http_client, None) is http_client


def test_a_header_of_the_request_is_sent_instead(oauth, http_client, get):
    other = oauth.token_for("reports:read", client="reader")
    oauth.authorize(http_client, client="writer")

    assert get({"Authorization": f"Bearer {other}"}) == (200, READER)


def test_a_client_of_the_test_itself_is_refused_with_what_to_do(oauth):
    with pytest.raises(TypeError, match=r"builtins\.object is not known here: send the header Authorization: Bearer"):
        oauth.authorize(object())


@pytest.mark.parametrize("make", [TestApp, Client, lambda app: app.test_client()], ids=["WebTest", "Werkzeug", "Flask"])
def test_a_client_of_an_app_behind_the_middleware_is_refused(production, make):
    app = flask.Flask("tested")

    with sandbox(production(app)) as oauth, pytest.raises(TypeError, match="does not contain the middleware, so its"):
        oauth.authorize(make(app))


def test_the_representation_of_a_client_shows_no_token(oauth, http_client):
    token = oauth.token_for()

    assert token not in repr(oauth.set_token(http_client, token)) + repr(oauth)


def test_a_flask_app_keeps_what_its_client_offers_beside(production):
    app = flask.Flask("tested")
    app.wsgi_app, app.secret_key = production(app.wsgi_app), "x" * 32
    app.add_url_rule("/reports", "reports", lambda: flask.session["seen"])

    with sandbox(app) as oauth, oauth.authorize(app.test_client(), scope="reports:read") as client:
        with client.session_transaction() as session:
            session["seen"] = "by the session"

        assert client.get("/reports").text == "by the session"
        assert flask.request.environ["oauth_mw.client_id"] == "job"
