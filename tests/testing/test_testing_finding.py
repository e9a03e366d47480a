"""The middleware is found wherever an app keeps it."""

from __future__ import annotations

from functools import partial, wraps
from unittest.mock import MagicMock

import flask
import pytest
from webob.dec import wsgify
from webtest import TestApp
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from helpers.support import echo
from oauth_mw import OAuthMiddleware
from oauth_mw.testing import find_middleware

guarded = OAuthMiddleware(echo, store="memory://")


def flask_app():
    app = flask.Flask("tested")
    app.wsgi_app = ProxyFix(guarded)
    return app


@wraps(guarded)
def decorated(environ, start_response):
    return guarded(environ, start_response)


def in_a_closure():
    later: object
    inner = guarded

    def app(environ, start_response):
        return inner(environ, start_response) or later

    return app
    later = None  # never reached: a variable without a value


@wsgify.middleware
def by_webob(request, app):
    return app


class Application:
    __slots__ = ("app",)

    def __init__(self):
        self.app = guarded

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


APPS = {
    "the middleware itself": guarded,
    "Flask": flask_app(),
    "a proxy's fix": ProxyFix(guarded),
    "a mount": DispatcherMiddleware(echo, {"/api": guarded}),
    "a mount of the same": DispatcherMiddleware(guarded, {"/api": guarded}),
    "a partial": partial(lambda app, environ, start_response: app(environ, start_response), guarded),
    "a closure": in_a_closure(),
    "a decorator": decorated,
    "slots": Application(),
    "WebOb's decorator": by_webob(guarded),
    "a bound method": Application().__call__,
    "WebTest's client": TestApp(ProxyFix(guarded)),
    "Flask's client": flask_app().test_client(),
    "Werkzeug's client": Client(flask_app()),
}


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_it_is_found(app):
    assert find_middleware(app) is guarded


WITHOUT = {
    "an app without it": echo,
    "nothing": None,
    "attributes without end": MagicMock(),
    "a proxy of nothing": LocalProxy(lambda: 1 / 0),
}


@pytest.mark.parametrize("app", [pytest.param(app, id=name) for name, app in WITHOUT.items()])
def test_an_app_without_it_is_refused(app):
    with pytest.raises(LookupError, match="contains no OAuthMiddleware that can be found: pass the middleware itself"):
        find_middleware(app)


def test_an_app_with_several_is_refused_and_each_of_them_is_found():
    inner = OAuthMiddleware(echo, store="memory://")
    outer = OAuthMiddleware(inner, store="memory://", token_path="/outer/token")

    with pytest.raises(
        LookupError, match=r"several OAuthMiddleware objects: pass the one to test, of app\.app, app\.app\.wrapped$"
    ):
        find_middleware(ProxyFix(outer))
    assert (find_middleware(inner), find_middleware(outer)) == (inner, outer)
