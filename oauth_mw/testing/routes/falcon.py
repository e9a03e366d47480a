"""The routes of a Falcon app, its static routes and sinks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from falcon import inspect
from falcon.routing import IntConverter, UUIDConverter

from ..expressions import Expression, literal
from . import Found, NotWalked, Route

_FIELD = re.compile(r"\{\w+(?::(\w+)(?:\([^}]*\))?)?\}")
# What a converter takes; all others may take any text.
_CONVERTERS = {IntConverter: r"[+-]?[\d_]+", UUIDConverter: r"[^/]{32,}"}


def routes(app: Any, mount: str) -> Iterator[Found]:
    lenient = Expression("/?" if app.req_options.strip_url_path_trailing_slash else "")
    try:
        found = inspect.inspect_routes(app)
    except TypeError:
        yield NotWalked(f"{mount}/* (its router)", "falcon.inspect does not know it")
        found = []
    for route in sorted(found, key=lambda route: "{" in route.path):  # literal segments are tried first
        methods = [each.method for each in route.methods if not each.internal]
        yield Route(mount + route.path, methods, [literal(mount), *_expressions(app, route.path), lenient])
    for static in inspect.inspect_static_routes(app):
        end = "(?:/.*)?" if static.fallback_filename else "/.*"
        yield Route(mount + static.prefix, None, [literal(mount + static.prefix.rstrip("/")), Expression(end)])
    for sink in inspect.inspect_sinks(app):
        yield Route(mount + sink.prefix, None, [literal(mount), Expression(sink.prefix, ends=False), lenient])


def _expressions(app: Any, path: str) -> Iterator[Expression]:
    at = 0
    for field in _FIELD.finditer(path):
        yield literal(path[at : field.start()])
        at = field.end()
        is_last = path[field.start() - 1] == "/" and at == len(path)
        yield Expression(_regex(app.router_options.converters.get(field[1]), is_last))
    yield literal(path[at:])


def _regex(converter: Any, is_last: bool) -> str:
    if getattr(converter, "CONSUME_MULTIPLE_SEGMENTS", False):
        return ".*"
    return _CONVERTERS.get(converter, "[^/]*" if is_last else "[^/]+")  # /x/ is taken for /x/{name}
