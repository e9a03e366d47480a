"""For views of Django and of Django REST framework: functions, classes and their methods, plain or async."""

from __future__ import annotations

from collections.abc import Callable, Generator
from wsgiref.types import WSGIEnvironment

from asgiref.sync import iscoroutinefunction
from django.core.handlers.wsgi import WSGIRequest  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]

from ..environ import AnyOf, any_of
from .views import Answer, Args, View, guarding

__all__ = ["any_of", "require_scope"]


def require_scope(*scopes: str | AnyOf) -> Callable[[View], View]:
    """Return a decorator: the view runs if the request's token has all scopes, and else the guard's answer is sent.

    That is 401 without a valid token, 403 if its scope is not enough. It decorates a function, a method of a class
    view, or a whole class by Django's ``method_decorator``::

        @require_scope("reports:read")
        def reports(request): ...

        @method_decorator(require_scope("reports:read"), name="dispatch")
        class Reports(View): ...

    The view needs ``csrf_exempt`` if clients send it anything but GET and HEAD.

    :param scopes: one scope in each argument, or ``any_of("a", "b")``; none for any valid token.
    :raises ConfigError: an argument is no scope. A request raises it under ASGI, where there is no WSGI environ.
    """
    return guarding(scopes, environ_of, _Refusal, iscoroutinefunction)


def environ_of(args: Args) -> WSGIEnvironment | None:
    """Find the request in a view's first argument, or in its second one after ``self``."""
    for each in args[:2]:
        request = getattr(each, "_request", each)  # Django REST framework has wrapped it
        if isinstance(request, WSGIRequest):
            environ: WSGIEnvironment = request.environ
            return environ
    return None


class _Refusal(HttpResponse):  # type: ignore[misc]
    """A response that can be awaited, too: Django awaits what ``dispatch`` of an async class view returns."""

    def __init__(self, answer: Answer) -> None:
        code, reason = answer.status.split(" ", 1)
        super().__init__(answer.body, status=int(code), reason=reason, headers=dict(answer.headers))

    def __await__(self) -> Generator[None, None, _Refusal]:
        yield from ()
        return self
