"""The facade: it routes each request and renders refusals. The parts below make all decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .assembly import build
from .config import Options
from .errors import OAuthError
from .protocols import Store


class OAuthMiddleware:
    """Put the OAuth 2.0 client credentials grant in front of a WSGI app.

    It answers the token, revocation and introspection paths itself. Every other request needs a bearer
    access token (RFC 6750) unless an option opens its path. For accepted requests the environ holds
    ``oauth_mw.client_id``, ``oauth_mw.scope`` and ``oauth_mw.token``.

    :param app: the app to protect.
    :param store: a store URL (``sqlite:///file``, ``memory://``), or a store from :func:`oauth_mw.open_store`.
    :param options: the options of the README's table, as Python values or as the strings of an ini.
    :raises ConfigError: an option is unknown or cannot work; the error names it.
    """

    def __init__(self, app: WSGIApplication, *, store: str | Store, **options: Unpack[Options]) -> None:
        parts = build(app, {"store": store, **options})
        self._endpoints = parts.endpoints
        self._guard = parts.guard
        self._app = parts.app
        self._refused = parts.refused

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        endpoint = self._endpoints.get(environ.get("PATH_INFO") or "/")
        try:
            if endpoint is not None:
                return endpoint(environ, start_response)
            self._guard(environ)
        except OAuthError as error:
            self._refused(error)
            return error.response()(environ, start_response)
        return self._app(environ, start_response)

    def __repr__(self) -> str:
        return f"<OAuthMiddleware for {self._app!r}>"
