"""Django's test clients. They call views by a handler, without ``WSGI_APPLICATION``, so they bypass the middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from django import conf  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.core.handlers.wsgi import WSGIRequest  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from ..middleware import OAuthMiddleware
from .apps import NEEDED, GuardedApp


def application() -> Any:
    """Return the app that the setting ``WSGI_APPLICATION`` names.

    :raises LookupError: there is no such setting.
    """
    try:
        name = conf.settings.WSGI_APPLICATION
    except ImproperlyConfigured as error:
        raise LookupError(f"no app is given, and Django has no settings: {NEEDED}") from error
    if name is None:
        raise LookupError(f"no app is given, and Django's setting WSGI_APPLICATION is not set: set it, or {NEEDED}")
    return import_string(name)


def put_in_front(http_client: Any, middleware: OAuthMiddleware) -> None:
    """Let all later requests of a Django ``Client`` pass the middleware before they reach a view.

    The client keeps its handler, so all that the handler and the client do beside a request goes on: contexts and
    templates, logins, CSRF checks, redirects, streaming, and the exceptions of views.
    """
    handler = http_client.handler
    if not isinstance(handler, GuardedHandler):
        kind = type(handler)
        handler.__class__ = type(f"Guarded{kind.__name__}", (GuardedHandler, kind), {})
    handler.middleware = middleware


class GuardedHandler:
    """Mixed into the class of a client's handler."""

    middleware: OAuthMiddleware

    def __call__(self, environ: WSGIEnvironment) -> Any:
        return _respond(self.middleware, super().__call__, environ)  # type: ignore[misc]  # the handler's class has it


def _respond(middleware: OAuthMiddleware, handle: Callable[[WSGIEnvironment], Any], environ: WSGIEnvironment) -> Any:
    """Return the handler's response, if the middleware lets the request pass, else its own as a Django response."""
    responses: list[Any] = []
    started: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = handle(environ)
        responses.append(response)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return ()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started[:] = status, headers
        return lambda body: None

    body = b"".join(GuardedApp(app, middleware)(dict(environ), start_response))
    (status, reason), headers = started[0].split(" ", 1), dict(started[1])
    if responses:
        for name in headers.keys() - responses[0].headers.keys():
            responses[0][name] = headers[name]  # the challenge on the app's own 401
        return responses[0]
    response = HttpResponse(body, status=int(status), reason=reason, headers=headers)
    response.wsgi_request = WSGIRequest(environ)
    return response
