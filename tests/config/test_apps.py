"""What cannot be wrapped is refused with the cure."""

from __future__ import annotations

from functools import partial

import bottle
import django.core.asgi
import falcon.asgi
import flask
import pytest
from webob.dec import wsgify
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Request, Response

from helpers.frameworks import FRAMEWORKS, cherrypy_app, django_app
from helpers.support import bearer, echo, issue
from oauth_mw import ConfigError, OAuthMiddleware

STORE_KINDS = ["memory"]


async def coroutine(environ, start_response): ...


class Coroutine:
    async def __call__(self, environ, start_response): ...


def asgi(scope, receive, send): ...


class ASGI:
    def __call__(self, scope, receive, send): ...


def django_asgi():
    django_app()
    return django.core.asgi.get_asgi_application()


def fastapi_app():
    from fastapi import FastAPI  # only here: it is slow to import

    return FastAPI()


ASGI_APPS = {
    "a coroutine function": lambda: coroutine,
    "a partial of one": lambda: partial(coroutine, start_response=None),
    "an object called as one": Coroutine,
    "three arguments": lambda: asgi,
    "an object with three arguments": ASGI,
    "FastAPI": fastapi_app,
    "Falcon": falcon.asgi.App,
    "Django": django_asgi,
}


@pytest.mark.parametrize("make", ASGI_APPS.values(), ids=ASGI_APPS)
def test_an_asgi_app_is_refused(make):
    with pytest.raises(ConfigError, match=r"^app: is an ASGI app .* a2wsgi\.ASGIMiddleware\(app\)"):
        OAuthMiddleware(make(), store="memory://")


FACTORIES = {
    "without arguments": lambda: None,
    "with options": lambda config=None, debug=False: None,
    "with more options": lambda config=None, debug=False, name="": None,
    "with a configuration": lambda config: None,
    "of Pyramid": lambda global_config, **settings: None,
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_a_factory_is_refused(factory):
    with pytest.raises(ConfigError, match=r"^app: .* if it is a factory, write OAuthMiddleware\(create_app\(\), …\)"):
        OAuthMiddleware(factory, store="memory://")


def test_the_fault_is_reported_beside_those_of_the_options():
    with pytest.raises(ConfigError) as raised:
        OAuthMiddleware(asgi, store="memory://", realm='"')

    assert {option for option, _ in raised.value.faults} == {"app", "realm"}


def test_it_is_no_option_of_a_mapping():
    with pytest.raises(ConfigError) as raised:
        OAuthMiddleware.from_config(asgi, {"X_STORE": "memory://", "X_REALM": '"', "X_BAD": ""}, prefix="X_")

    assert [text for name, text in raised.value.faults if name == "app"][0].startswith("is an ASGI app")
    assert len(raised.value.faults) == 3


class ClassOfRequests:
    """A WSGI app that is called anew for each request."""

    def __init__(self, environ, start_response): ...


WSGI_APPS = {
    **FRAMEWORKS,
    "CherryPy": cherrypy_app,
    "a class": lambda: ClassOfRequests,
    "any arguments": lambda: lambda *args: None,
    "Werkzeug's decorator": lambda: Request.application(lambda request: Response("ok")),
    "WebOb's decorator": lambda: wsgify(lambda request: None),
    "a partial": lambda: partial(lambda config, environ, start_response: None, {}),
}


@pytest.mark.parametrize("make", WSGI_APPS.values(), ids=WSGI_APPS)
def test_every_wsgi_app_is_wrapped(make):
    OAuthMiddleware(make(), store="memory://")


def flask_app(wrap):
    app = flask.Flask(__name__)
    app.wsgi_app = wrap(app)
    return app


def bottle_app(wrap):
    app = bottle.Bottle()
    app.wsgi = wrap(app)
    return app


# Wrapped once by each of these; the second time comes after.
WRAPPED = {
    "the middleware": lambda wrap: wrap(echo),
    "Flask's wsgi_app": lambda wrap: flask_app(lambda app: wrap(app.wsgi_app)),
    "Bottle's wsgi": lambda wrap: bottle_app(lambda app: wrap(app.wsgi)),
}


@pytest.mark.parametrize("make", WRAPPED.values(), ids=WRAPPED)
def test_two_with_the_same_token_path_are_refused(store, make):
    app = make(lambda app: OAuthMiddleware(app, store=store))

    with pytest.raises(ConfigError, match="^token_path: .*/oauth/token, is around the app already: wrap it once"):
        OAuthMiddleware(app, store=store)


@pytest.mark.parametrize("make", WRAPPED.values(), ids=WRAPPED)
def test_two_with_other_token_paths_are_not(store, client, wrap, make):
    app = wrap(make(lambda app: OAuthMiddleware(app, store=store, token_path="/inner")))

    assert app.get("/any", headers=bearer(issue(app)), status="*").status_int in (200, 404)


def test_two_without_a_token_endpoint_are_not(store):
    OAuthMiddleware(OAuthMiddleware(echo, store=store, token_path="off"), store=store, token_path="off")


class Site:
    """Holds its middleware, which servers call, and does not call it."""

    def __init__(self, wrap):
        self.app = wrap(self)

    def __call__(self, environ, start_response):
        return echo(environ, start_response)


def test_an_app_may_hold_its_own_middleware(wrap, client):
    app = Site(wrap).app

    assert app.get("/any", headers=bearer(issue(app))).status_int == 200


WITHIN = {
    "Flask": lambda wrap: flask_app(wrap),
    "Flask, behind a proxy": lambda wrap: flask_app(lambda app: ProxyFix(wrap(app))),
    "Bottle": lambda wrap: bottle_app(wrap),
}


@pytest.mark.parametrize("make", WITHIN.values(), ids=WITHIN)
@pytest.mark.parametrize("path", ["/any", "/oauth/token"])
def test_an_app_that_calls_its_own_middleware_is_refused_at_the_first_request(wrap, make, path):
    app = make(lambda app: wrap(app).app)

    for _ in range(2):
        with pytest.raises(ConfigError, match=r"write app\.wsgi_app = OAuthMiddleware\(app\.wsgi_app, …\)"):
            app({"REQUEST_METHOD": "GET", "PATH_INFO": path}, None)
