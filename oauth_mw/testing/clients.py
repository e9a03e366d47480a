"""How each framework's test client sends a token. A client is recognised by its class, so no framework is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..errors import AUTHORIZATION
from ..finding import middlewares
from ..middleware import OAuthMiddleware
from ..server import environ_key
from .apps import GuardedApp


def set_token(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    """Let all later requests of a test client carry a token, or none.

    :param middleware: what requests must pass, also those of a client that calls views directly.
    :raises TypeError: it is of a class that is not known, or calls an app without the middleware.
    """
    for kind in type(http_client).__mro__:
        if setter := _SETTERS.get(f"{kind.__module__}.{kind.__qualname__}"):
            if setter in _CALLING_THEIR_APP:
                _check_guarded(http_client, middleware)
            setter(http_client, token, middleware)
            return
    raise TypeError(
        f"the test client {type(http_client).__module__}.{type(http_client).__qualname__} is not known here:"
        f" send the header {_header(middleware)}: Bearer TOKEN by its own means, with what token_for returns,"
        " to an app that contains the middleware"
    )


def _check_guarded(http_client: Any, middleware: OAuthMiddleware) -> None:
    if all(place.found is not middleware for place in middlewares(http_client)):
        raise TypeError(
            f"the app of this {type(http_client).__name__} does not contain the middleware, so its requests would reach"
            " views without a check: make the test client from the app that does"
        )


def _webtest(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    if _header(middleware) == AUTHORIZATION:
        http_client.authorization = token and ("Bearer", token)
    else:
        _set_header(http_client.extra_environ, token, middleware)


def _flask(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    _set_header(http_client.environ_base, token, middleware)


def _werkzeug(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    app = _without_token(http_client.application)
    http_client.application = WithToken(app, token, _key(middleware)) if token else app


def _django(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    from .django import put_in_front

    put_in_front(http_client, middleware)
    _set_header(http_client.defaults, token, middleware)


def _django_live_server(case: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    server = case.server_thread.httpd
    app = server.get_app()
    case.addCleanup(server.set_app, app)
    app = _without_token(app)
    app = replace(app, middleware=middleware) if isinstance(app, GuardedApp) else GuardedApp(app, middleware)
    server.set_app(WithToken(app, token, _key(middleware)) if token else app)


def _refuse_asgi(http_client: Any, token: str | None, middleware: OAuthMiddleware) -> None:
    raise TypeError("Django's AsyncClient calls views by ASGI, where no WSGI middleware is: use django.test.Client")


def _without_token(app: WSGIApplication) -> WSGIApplication:
    return app.app if isinstance(app, WithToken) else app


def _header(middleware: OAuthMiddleware) -> str:
    return middleware.parts.settings.authorization_header


def _key(middleware: OAuthMiddleware) -> str:
    return environ_key(_header(middleware))


def _set_header(environ: dict[str, Any], token: str | None, middleware: OAuthMiddleware) -> None:
    if token:
        environ[_key(middleware)] = f"Bearer {token}"
    else:
        environ.pop(_key(middleware), None)


@dataclass(frozen=True)
class WithToken:
    """In front of an app whose client has no headers of its own: adds a token to requests that have none."""

    app: WSGIApplication
    token: str = field(repr=False)
    key: str

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.setdefault(self.key, f"Bearer {self.token}")
        return self.app(environ, start_response)


_SETTERS: Mapping[str, Callable[[Any, str | None, OAuthMiddleware], None]] = {
    "webtest.app.TestApp": _webtest,
    "flask.testing.FlaskClient": _flask,
    "werkzeug.test.Client": _werkzeug,
    "django.test.client.Client": _django,
    "django.test.client.AsyncClient": _refuse_asgi,
    "django.test.testcases.LiveServerTestCase": _django_live_server,
}
# The others get the middleware from here.
_CALLING_THEIR_APP = (_webtest, _flask, _werkzeug)
