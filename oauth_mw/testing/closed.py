"""``assert_closed``: which routes of an app answer without a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from ..events import unlogged
from ..middleware import OAuthMiddleware
from ..rules import as_path_info
from .apps import GuardedApp
from .expressions import Parameter, Unreadable, read
from .routes import Found, NotWalked, routes_of
from .samples import Sampler
from .sandboxes import sandbox

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def assert_closed(app: Any = None, public: str | Iterable[str] = ()) -> None:
    """Assert that no route of an app can be reached without a token, except those that are named.

    The app is one of Flask, Pyramid, Bottle, Falcon or Django, or several that Werkzeug's dispatcher, Paste's urlmap
    or Bottle mounts. No view runs: the middleware is called in the app's place, once for each route, method and sample
    of the route's parameters. The samples are one value that no option names, and each segment of ``public_paths``
    that the parameter takes. What stands before the middleware is not considered, nor are the CORS preflights that
    ``preflight`` lets reach all routes alike, of which ``oauth-mw check`` warns.

    What has no routes that can be listed is reported as not walked: views of Pyramid's traversal, other WSGI apps and
    middleware behind this one, and regular expressions that cannot be read.

    ::

        assert_closed(app, public=["/health", "/docs/<page>", "/admin/*"])

    :param app: as for :func:`sandbox`.
    :param public: the routes that are open on purpose, with all their methods, as they are written in the app behind
        its mount, and what is not walked, as the error names it. ``/x/*`` stands for the route ``/x`` and all below.
    :raises AssertionError: another route is open or is not walked, or one of these is neither.
    :raises LookupError: as :func:`sandbox`.
    """
    with sandbox(app) as oauth, unlogged():
        found = {name: text for place in oauth.places for name, text in _not_closed(place.found, place.mount)}
    named = {name: _named(name, found) for name in ([public] if isinstance(public, str) else public)}
    on_purpose = set().union(*named.values())
    faults = [text for name, text in found.items() if name not in on_purpose]
    faults += [f"{name} is named, and is no route that is open" for name, routes in named.items() if not routes]
    if faults:
        raise AssertionError("\n".join(sorted(faults)))


def _named(name: str, found: Iterable[str]) -> set[str]:
    """What one entry of ``public`` stands for, of all that is not closed."""
    below = name[:-1] if name.endswith("/*") and name != "/*" else None
    return {name} & {*found} or {each for each in found if below and f"{each}/".startswith(below)}


def _not_closed(middleware: OAuthMiddleware, mount: str) -> Iterator[tuple[str, str]]:
    """The names of what is not closed, behind the mount of the middleware, and a sentence about each."""
    found = list(routes_of(middleware.wrapped)) or [NotWalked("/*", "it has no routes")]
    sampler = Sampler(middleware.parts.settings, [each.name for each in found])
    taken: set[tuple[str, str]] = set()  # methods and paths of routes without a parameter
    for each in found:
        if fault := _fault(each, middleware, mount, sampler, taken):
            yield mount + each.name, f"{mount}{each.name} {fault}"


def _fault(each: Found, middleware: OAuthMiddleware, mount: str, sampler: Sampler, taken: set[tuple[str, str]]) -> str:
    if isinstance(each, NotWalked):
        return f"was not walked: {each.why}"
    try:
        alternatives = read(each.expressions)
    except Unreadable as error:
        return f"was not walked: {error}"
    methods = METHODS if each.methods is None else sorted(each.methods)
    requests = [request for request in product(methods, sampler.paths(alternatives)) if request not in taken]
    if each.always and not any(isinstance(piece, Parameter) for pieces in alternatives for piece in pieces):
        taken.update(requests)
    answered = (
        f"answers {method} {mount}{path} without a token"
        for method, path in requests
        if _is_open(middleware, method, path)
    )
    return next(answered, "")


def _is_open(middleware: OAuthMiddleware, method: str, path: str) -> bool:
    """True if a request without a token reaches the app."""
    reached = []

    def record(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reached.append(path)
        start_response("204 No Content", [])
        return ()

    environ: WSGIEnvironment = {"REQUEST_METHOD": method, "PATH_INFO": as_path_info(path)}
    setup_testing_defaults(environ)
    GuardedApp(record, middleware)(environ, lambda status, headers, exc_info=None: lambda body: None)
    return bool(reached)
