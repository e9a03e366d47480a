"""The routes of apps, one module for each framework. An app is recognised by its class, so no framework is imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import MethodType
from typing import Any, NamedTuple

from ...finding import Place, mount_path, walk
from ..expressions import Expression


class Route(NamedTuple):
    """A route, named as it is written in its app, behind the path at which that is mounted.

    ``methods`` is ``None`` if the view runs for any. The expressions match its paths together, one behind the other.
    ``always`` is false if a route behind it answers some requests with its paths, such as those with another host.
    """

    name: str
    methods: Collection[str] | None
    expressions: Sequence[Expression]
    always: bool = True


class NotWalked(NamedTuple):
    """What answers requests, and has no routes that can be listed; ``why`` says so."""

    name: str
    why: str


Found = Route | NotWalked


def routes_of(app: Any, mount: str = "") -> Iterator[Found]:
    """Yield the routes of a WSGI app, and of the apps that it mounts or wraps, in the order in which they are tried.

    :param mount: the path at which it is mounted.
    """
    app = app.__self__ if type(app) is MethodType else app  # Flask's wsgi_app
    if list_routes := _lister(app):
        yield from list_routes(app, mount)
        return
    name = getattr(app, "__name__", type(app).__name__)
    yield NotWalked(f"{mount}/* ({name})", "what it answers cannot be listed")
    for place in walk(Place(app, "", mount), is_end=_lister):
        if _lister(place.found):
            yield from routes_of(place.found, place.mount)


def _lister(app: object) -> Callable[[Any, str], Iterator[Found]] | None:
    kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(app).__mro__)
    return next((_LISTERS[kind] for kind in kinds if kind in _LISTERS), None)


def _framework(name: str, app: Any, mount: str) -> Iterator[Found]:
    found: Iterator[Found] = import_module(f"{__name__}.{name}").routes(app, mount)
    return found


def _dispatcher(app: Any, mount: str) -> Iterator[Found]:
    yield from _mapping(app.mounts, mount)
    yield from routes_of(app.app, mount)


def _mapping(mounts: Mapping[object, Any], mount: str) -> Iterator[Found]:
    for key, app in sorted(mounts.items(), key=lambda item: -len(mount_path(item[0]))):  # the longest is tried first
        of_a_host = isinstance(key, tuple) and bool(key[0])  # of Paste
        for each in routes_of(app, mount + mount_path(key)):
            yield each._replace(always=False) if of_a_host and isinstance(each, Route) else each


_LISTERS: Mapping[str, Callable[[Any, str], Iterator[Found]]] = {
    "flask.app.Flask": partial(_framework, "flask"),
    "pyramid.router.Router": partial(_framework, "pyramid"),
    "bottle.Bottle": partial(_framework, "bottle"),
    "falcon.app.App": partial(_framework, "falcon"),
    "django.core.handlers.wsgi.WSGIHandler": partial(_framework, "django"),
    "werkzeug.middleware.dispatcher.DispatcherMiddleware": _dispatcher,
    "paste.urlmap.URLMap": _mapping,
}
