"""For responders and sinks of Falcon's WSGI app."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn
from wsgiref.types import WSGIEnvironment

from falcon import HTTPStatus, Request

from ..environ import AnyOf, any_of
from .views import Answer, Args, View, guarding

__all__ = ["any_of", "require_scope"]


def require_scope(*scopes: str | AnyOf) -> Callable[[View], View]:
    """Return a decorator: the responder runs if the token has all scopes, and else the guard's answer is sent.

    That is 401 without a valid token, 403 if its scope is not enough::

        class Reports:
            @require_scope("reports:read")
            def on_get(self, req, resp): ...

    :param scopes: one scope in each argument, or ``any_of("a", "b")``; none for any valid token.
    :raises ConfigError: an argument is no scope. A request of Falcon's ASGI app raises it, too.
    """
    return guarding(scopes, _environ_of, _respond)


def _environ_of(args: Args) -> WSGIEnvironment | None:
    """Find the request in a sink's first argument, or in a responder's second one after ``self``."""
    request = next((each for each in args[:2] if isinstance(each, Request)), None)
    return getattr(request, "env", None)  # a request of ASGI has none


def _respond(answer: Answer) -> NoReturn:
    # Falcon sends bytes as they are. Those of on_refusal need not be UTF-8.
    raise HTTPStatus(answer.status, dict(answer.headers), answer.body)  # type: ignore[arg-type]
