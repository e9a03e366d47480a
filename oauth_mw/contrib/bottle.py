"""For views of Bottle."""

from __future__ import annotations

from collections.abc import Callable

from bottle import HTTPResponse, request  # type: ignore[import-untyped]

from ..environ import AnyOf, any_of
from .views import Answer, View, guarding

__all__ = ["any_of", "require_scope"]


def require_scope(*scopes: str | AnyOf) -> Callable[[View], View]:
    """Return a decorator: the view runs if the request's token has all scopes, and else the guard's answer is sent.

    That is 401 without a valid token, 403 if its scope is not enough. Place it below the decorator of the route, or
    pass it to that in ``apply``::

        @app.get("/reports")
        @require_scope("reports:read")
        def reports(): ...

    Outside of a request a guarded view finds the last one of its thread, because Bottle keeps that.

    :param scopes: one scope in each argument, or ``any_of("a", "b")``; none for any valid token.
    :raises ConfigError: an argument is no scope.
    """
    return guarding(scopes, lambda args: request.environ, _respond)


def _respond(answer: Answer) -> HTTPResponse:
    return HTTPResponse(answer.body, answer.status, answer.headers)
