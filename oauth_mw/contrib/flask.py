"""For views of Flask and its blueprints, plain or async."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request

from ..environ import AnyOf, any_of
from .views import Answer, View, guarding

__all__ = ["any_of", "require_scope"]


def require_scope(*scopes: str | AnyOf) -> Callable[[View], View]:
    """Return a decorator: the view runs if the request's token has all scopes, and else the guard's answer is sent.

    That is 401 without a valid token, 403 if its scope is not enough. Place it below the decorator of the route::

        @app.get("/reports")
        @require_scope("reports:read")
        def reports(): ...

    It decorates methods of a ``MethodView`` too, and may be one of its ``decorators``.

    :param scopes: one scope in each argument, or ``any_of("a", "b")``; none for any valid token.
    :raises ConfigError: an argument is no scope.
    """
    return guarding(scopes, lambda args: request.environ, _respond)


def _respond(answer: Answer) -> Response:
    return Response([answer.body], answer.status, answer.headers)  # bytes alone would change the length of a HEAD
