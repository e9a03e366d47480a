"""What can be wrapped: a WSGI app, once, and not within itself."""

from __future__ import annotations

import inspect

from .errors import ConfigError

APP = "app"  # the argument, in faults

# Where a framework's app keeps the WSGI app that it calls (Flask, Bottle), and where WSGI middleware does.
OWN = ("wsgi_app", "wsgi")
BEHIND = ("app", "application", "wrapped")
_DEEP = 100  # layers of middleware


def check_app(app: object, option: str = APP, call: str = "OAuthMiddleware(create_app(), …)") -> None:
    """Raise ``ConfigError`` for an app that no WSGI server can call.

    :param option: what the error names.
    :param call: what to write if it is a factory.
    """
    if is_asgi(app):
        raise ConfigError(
            option,
            "is an ASGI app or a coroutine function: use the WSGI app of the framework (Django:"
            " get_wsgi_application()), or make one with a2wsgi.ASGIMiddleware(app)",
        )
    signature = _signature(app)
    if signature and (_makes_apps(signature) or not _takes(signature, 2)):
        raise ConfigError(
            option, f"is no WSGI app, which takes environ and start_response: if it is a factory, write {call}"
        )


def is_asgi(app: object) -> bool:
    """True for a coroutine function, and for what takes the three arguments of ASGI but not the two of WSGI."""
    called = getattr(type(app), "__call__", None)  # noqa: B004  # for what it is, not whether it is there
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(called):
        return True
    signature = _signature(app)
    if signature is None or _takes(signature, 2) or _makes_apps(signature):
        return False
    return _takes(signature, 3)


def _signature(app: object) -> inspect.Signature | None:
    """The arguments of what can be called, if it shows them."""
    try:
        # Not what a decorator wraps: Werkzeug's Request.application makes a WSGI app of a function of one argument.
        return inspect.signature(app, follow_wrapped=False)  # type: ignore[arg-type]
    except Exception:  # nothing to call, or it does not show its arguments
        return None


def _makes_apps(signature: inspect.Signature) -> bool:
    kinds = {each.kind for each in signature.parameters.values()}
    return _takes(signature, 0) and inspect.Parameter.VAR_POSITIONAL not in kinds


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def called_by(app: object) -> object:
    """The WSGI app that a framework's app calls for each request, if it keeps one in an attribute; else the app."""
    name = next((name for name in OWN if callable(getattr(type(app), name, None))), None)
    return app if name is None else getattr(app, name)


def check_not_within(app: object, middleware: object) -> None:
    """Raise ``ConfigError`` if the app that is wrapped calls its own middleware again, without end."""
    each: object = called_by(app)
    if each is app:
        return  # it may hold its middleware, but what it calls is not known
    for _ in range(_DEEP):
        if each is middleware:
            raise ConfigError(
                APP, "calls the middleware that wraps it: write app.wsgi_app = OAuthMiddleware(app.wsgi_app, …)"
            )
        held = getattr(each, "__dict__", {})
        each = next((held[name] for name in BEHIND if name in held), None)
