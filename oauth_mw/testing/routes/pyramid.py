"""The routes of a Pyramid app, by its introspector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..expressions import Expression, literal
from . import Found, NotWalked, Route

_PARAMETER = re.compile(r"\{\w+(?::((?:[^{}]|\{[^{}]*\})*))?\}")
_OLD_PARAMETER = re.compile(r":([_a-zA-Z]\w*)")
_REST = re.compile(r"\*\w+\Z")


def routes(app: Any, mount: str) -> Iterator[Found]:
    from pyramid.config.views import isexception  # type: ignore[import-untyped]  # its import may warn

    introspector = app.registry.introspector
    if not introspector.categories():
        yield NotWalked(f"{mount}/* (Router)", "its Configurator is made with introspection=False")
    views = [each["introspectable"] for each in introspector.get_category("views", ())]
    for each in introspector.get_category("routes", ()):
        route = each["introspectable"]
        if not route["static"]:
            pattern = "/" + route["pattern"].removeprefix("/")
            others = len(route["object"].predicates) - bool(route["request_methods"])
            yield Route(mount + pattern, _methods(route, views), [literal(mount), *_expressions(pattern)], not others)
    traversed = [each.title for each in views if not each["route_name"] and not isexception(each["context"])]
    if traversed:
        yield NotWalked(f"{mount}/* (traversal)", f"these views have no route: {', '.join(sorted(set(traversed)))}")


def _methods(route: Any, views: list[Any]) -> set[str] | None:
    if route["request_methods"]:
        return _names(route["request_methods"])
    limits = [view["request_methods"] for view in views if view["route_name"] == route["name"]]
    return set().union(*map(_names, limits)) if limits and all(limits) and not route["use_global_views"] else None


def _names(methods: str | tuple[str, ...]) -> set[str]:
    names = {methods} if isinstance(methods, str) else set(methods)
    return names | {"HEAD"} if "GET" in names else names


def _expressions(pattern: str) -> Iterator[Expression]:
    if not _PARAMETER.search(pattern):
        pattern = _OLD_PARAMETER.sub(r"{\1}", pattern)
    rest = _REST.search(pattern)
    at, pattern = 0, pattern[: rest.start()] if rest else pattern
    for parameter in _PARAMETER.finditer(pattern):
        yield literal(pattern[at : parameter.start()])
        yield Expression(parameter[1] or "[^/]+")
        at = parameter.end()
    yield literal(pattern[at:])
    if rest:
        yield Expression(".*")
