"""What the modules of the frameworks have in common: a decorator of views, over :func:`oauth_mw.refusal`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar
from wsgiref.types import WSGIApplication, WSGIEnvironment

from ..answers import Header
from ..environ import AnyOf, refusal
from ..errors import ConfigError
from ..scopes import check_scopes

OPTION = "require_scope"

View = TypeVar("View", bound=Callable[..., Any])
Args = Sequence[object]


class Answer(NamedTuple):
    """An answer in parts, for a response of the framework. ``status`` is code and reason, as in WSGI."""

    status: str
    headers: list[Header]
    body: bytes


def guarding(
    needs: Sequence[str | AnyOf],
    environ_of: Callable[[Args], WSGIEnvironment | None],
    respond: Callable[[Answer], object],
    is_async: Callable[[object], bool] = inspect.iscoroutinefunction,
) -> Callable[[View], View]:
    """Return a decorator of views: the view runs if the request's token has all of ``needs``.

    :param environ_of: finds the environ of the request by the positional arguments of the view.
    :param respond: makes a response of a refusal, or raises it.
    :param is_async: true for a view whose result the framework awaits.
    :raises ConfigError: a need is no scope and not made by ``any_of``. The decorator raises it for a class, and the
        decorated view if there is no environ.
    """
    _check(needs)

    def refused(args: Args) -> object:
        environ = environ_of(args)
        if environ is None:
            raise ConfigError(
                OPTION,
                "the arguments of the view hold no request with a WSGI environ: under ASGI no OAuthMiddleware is in"
                " front of the app, so serve its WSGI app",
            )
        app = refusal(environ, *needs)
        return None if app is None else respond(_run(app, environ))

    def decorate(view: View) -> View:
        if inspect.isclass(view):
            raise ConfigError(OPTION, f"{view.__name__} is a class: decorate its methods")

        def guarded(*args: Any, **kwargs: Any) -> Any:
            answer = refused(args)
            return view(*args, **kwargs) if answer is None else answer

        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            answer = refused(args)
            return await view(*args, **kwargs) if answer is None else answer

        wrapper: Any = wraps(view)(guarded_async if is_async(view) else guarded)
        wrapper.__signature__ = inspect.signature(view)  # where a framework counts arguments
        return wrapper  # type: ignore[no-any-return]

    return decorate


def _check(needs: Sequence[object]) -> None:
    for need in needs:
        given = need.scopes if isinstance(need, AnyOf) else (need,)
        scopes = [scope for scope in given if isinstance(scope, str)]
        if not scopes or len(scopes) < len(given):
            raise ConfigError(OPTION, f'{need!r} is no scope: write @require_scope("a", any_of("b", "c"))')
        try:
            check_scopes(scopes)
        except ValueError as error:
            raise ConfigError(OPTION, f"{error}, one in each argument") from None


def _run(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    started: list[tuple[str, list[Header]]] = []

    def start_response(status: str, headers: list[Header], exc_info: Any = None, /) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda data: None

    body = b"".join(app(environ, start_response))
    return Answer(*started[-1], body)
