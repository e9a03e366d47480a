"""The routes of a Bottle app, and the apps that it mounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...finding import bottle_mount
from ..expressions import Expression, literal
from . import Found, Route, routes_of


def routes(app: Any, mount: str) -> Iterator[Found]:
    mounted = {bottle_mount(route): route.config for route in app.routes}
    for path, config in mounted.items():
        if path:
            yield from routes_of(config["mountpoint.target"], mount + path)
    for route in sorted(app.routes, key=lambda route: _rank(app.router, route)):
        if not bottle_mount(route):
            methods = {"ANY": None, "PROXY": None, "GET": ["GET", "HEAD"]}.get(route.method, [route.method])
            yield Route(mount + route.rule, methods, [literal(mount), *_expressions(app.router, route.rule)])


def _rank(router: Any, route: Any) -> tuple[int, bool]:
    """A router tries the routes of some methods first, whatever their paths, and then those without a wildcard."""
    varies = any(kind for _, kind, _ in router._itertokens(route.rule))
    return {"PROXY": 0, "GET": 2, "ANY": 3}.get(route.method, 1), varies and not router.strict_order


def _expressions(router: Any, rule: str) -> Iterator[Expression]:
    for text, kind, configured in router._itertokens(rule):
        if kind:
            yield Expression(router.filters["re" if kind == "default" else kind](configured)[0])
        else:
            yield literal(text)
