"""The routes of a Flask app: those of its ``url_map``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..expressions import Expression, literal
from . import Found, Route


def routes(app: Any, mount: str) -> Iterator[Found]:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.build_only]
    one_host = len({(rule.host, rule.subdomain) for rule in rules}) == 1
    for rule in sorted(rules, key=lambda rule: "<" in rule.rule):  # those without a parameter are tried first
        yield Route(mount + rule.rule, rule.methods, [literal(mount), *_expressions(rule)], one_host)


def _expressions(rule: Any) -> Iterator[Expression]:
    trace = list(rule._trace)
    parts = trace[trace.index((False, "|")) + 1 :]  # what stands before it matches the host
    if parts[-1:] == [(False, "/")] and not rule.strict_slashes:
        del parts[-1]
    for is_parameter, text in parts:
        yield Expression(rule._converters[text].regex) if is_parameter else literal(text)
    if not rule.strict_slashes:
        yield Expression("/?")
