"""For views of Pyramid: functions, and methods of view classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIEnvironment

from pyramid.interfaces import IRequest  # type: ignore[import-untyped]
from pyramid.response import Response  # type: ignore[import-untyped]

from ..environ import AnyOf, any_of
from .views import Answer, Args, View, guarding

__all__ = ["any_of", "require_scope"]


def require_scope(*scopes: str | AnyOf) -> Callable[[View], View]:
    """Return a decorator: the view runs if the request's token has all scopes, and else the guard's answer is sent.

    That is 401 without a valid token, 403 if its scope is not enough. Place it below ``view_config``, or pass it to
    that (or to ``add_view``) as ``decorator``; a view class takes it at its methods or as ``decorator``::

        @view_config(route_name="reports", renderer="json")
        @require_scope("reports:read")
        def reports(request): ...

    :param scopes: one scope in each argument, or ``any_of("a", "b")``; none for any valid token.
    :raises ConfigError: an argument is no scope.
    """
    return guarding(scopes, _environ_of, _respond)


def _environ_of(args: Args) -> WSGIEnvironment | None:
    """Find the request in a view's last argument, or in that of a method, ``self.request``."""
    last: Any = args[-1] if args else None
    request: Any = last if IRequest.providedBy(last) else getattr(last, "request", None)
    return request.environ if IRequest.providedBy(request) else None


def _respond(answer: Answer) -> Response:
    # Not body=: that would change the length of a HEAD.
    return Response(status=answer.status, headerlist=answer.headers, app_iter=[answer.body])
