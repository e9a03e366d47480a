"""What an API product of Apigee opens, as requests that a client may send here.

No translation opens more than Apigee does. What cannot be expressed is a problem, which names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...errors import AdminError, Faults
from ...limits import parse_request
from ...rates import UNITS
from ...rules import as_path_info, read_pattern
from .shapes import Operation, Product, Quota

ALL = "*"
NOT_HERE = "-"  # in the place of a base path
# Apigee's "/" is everything, and a product without resources has it.
EVERYTHING = "/"

_METHOD = re.compile(r"[A-Z]+")
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_DAYS = {"week": 7, "month": 31}
# The units of rates that a quota of a unit may become, the nearest first.
_RATES = {"second": ("second", "minute", "hour", "day"), "minute": ("minute", "hour", "day"), "hour": ("hour", "day")}


class Served(NamedTuple):
    """What of Apigee is served here.

    :ivar base_paths: those of each proxy; none for one that is not served here.
    :ivar environment: the environment that this deployment replaces; ``None`` if it is not said.
    """

    base_paths: Mapping[str, Sequence[str]]
    environment: str | None = None


class Rule(NamedTuple):
    """One operation of a product, and the paths that it is here; no methods stand for all."""

    operation: str
    methods: frozenset[str] | None
    paths: tuple[str, ...]

    @property
    def requests(self) -> list[str]:
        return [f"{written(self.methods)} {path}" for path in self.paths]


class Grant(NamedTuple):
    """What a product gives to its clients.

    :ivar is_here: false if it is not for this environment: then it gives nothing.
    :ivar problems: what of it cannot be expressed, a sentence each.
    """

    product: Product
    is_here: bool
    rules: Sequence[Rule]
    problems: Sequence[str]


def read_base_paths(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read base paths, each as PROXY=/prefix, or PROXY=- for a proxy that is not served here.

    A proxy may have several.

    :raises AdminError: one is malformed, a proxy is served and is not, or two proxies have the same.
    """
    found: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for text in texts:
        proxy, equals, path = text.partition("=")
        if not proxy or not equals:
            raise AdminError(
                f"base path {text!r}: expected PROXY=/prefix, or PROXY={NOT_HERE} if it is not served here"
            )
        if path == NOT_HERE and not found.get(proxy):
            found[proxy] = ()
        elif path == NOT_HERE or found.get(proxy) == ():
            raise AdminError(f"base path {text!r}: the proxy has another base path")
        else:
            prefix = _prefix(text, path)
            if (owner := owners.setdefault(prefix, proxy)) != proxy:
                raise AdminError(f"base path {text!r}: it is also that of the proxy {owner!r}")
            found[proxy] = (*found.get(proxy, ()), prefix)
    return found


def _prefix(text: str, path: str) -> str:
    try:
        pattern = read_pattern(path)
        if pattern.tail or not all(pattern.segments):
            raise ValueError("expected a path without * and {name}")
    except ValueError as error:
        raise AdminError(f"base path {text!r}: {error}") from None
    return path.rstrip("/")


def check_served(products: Iterable[Product], served: Served, faults: Faults) -> None:
    """Add a fault for what must be known about products: the base paths of their proxies, and the environment."""
    products = [*products]
    named = {each.environments for each in products if each.environments}
    all_named = sorted({name for names in named for name in names})
    if served.environment is None and any(len(names) < len(all_named) for names in named):
        faults.add("--environment", f"is missing: name the one that this deployment replaces, of {listed(all_named)}")
    open_here = [each for each in products if _is_here(each, served.environment)]
    if products and not open_here:
        faults.add("--environment", f"no product is for {served.environment!r}: expected one of {listed(all_named)}")
    for proxy in sorted({name for each in open_here for name in _proxies(each)} - served.base_paths.keys()):
        name = proxy if proxy.isprintable() else "PROXY"
        faults.add(
            "--base-path",
            f"is missing for the proxy {proxy!r}: give {name}=/prefix, or {name}={NOT_HERE} if it is not served here",
        )
    for each in open_here:
        if not served.base_paths and not each.others and not _proxies(each) and each.sources is None:
            faults.add(
                "--base-path",
                f"is missing: the product {each.name!r} names no proxy, and so opens all: name those that are served"
                " here, PROXY=/prefix",
            )
            break


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _is_here(product: Product, environment: str | None) -> bool:
    return environment is None or not product.environments or environment in product.environments


def _proxies(product: Product) -> tuple[str, ...]:
    return product.proxies if product.sources is None else tuple(each.proxy for each in product.sources)


def grant_of(product: Product, served: Served) -> Grant:
    """What a product gives here. All that :func:`check_served` asks for is known."""
    if not _is_here(product, served.environment):
        return Grant(product, False, (), ())
    rules: list[Rule] = []
    problems: list[str] = []
    if product.others:
        problems.append(f"its {' and '.join(product.others)} is not about methods and paths")
    if product.sources is not None and (not product.sources or any(not each.operations for each in product.sources)):
        problems.append("its operationGroup has no operations")
    if product.sources is not None and product.resources:
        problems.append("it has both an operationGroup and apiResources")
        return Grant(product, True, (), problems)
    if "," in product.name:
        problems.append("its name has a comma, which divides the names of products in the tokens of a client")
    operations = _operations(product, served)
    open_proxies = {proxy for proxy, each in operations if each == Operation(EVERYTHING, ())}
    others = {
        as_path_info(base): proxy
        for proxy, bases in served.base_paths.items()
        if proxy not in open_proxies
        for base in bases
    }
    for proxy, operation in operations:
        text = f"{_shown(operation.methods)} {operation.resource} of {proxy}"
        try:
            methods = read_methods(operation.methods)
            paths = tuple(
                _apart(translated(operation.resource, base), base, others) for base in served.base_paths.get(proxy, ())
            )
            rule = Rule(text, methods, paths)
            if any(parse_request(request).text != request for request in rule.requests):
                raise ValueError("it has a space at its end")
        except ValueError as error:
            problems.append(f"{text}: {error}")
        else:
            rules.append(rule)
    return Grant(product, True, rules, problems)


def _apart(path: str, base: str, others: Mapping[str, str]) -> str:
    """A pattern of paths below ``base``, as it is.

    Apigee sends a request to the proxy with the longest base path that its path begins with.

    :param others: base paths, in the encoding of ``PATH_INFO``, and their proxies.
    :raises ValueError: the pattern reaches one of them.
    """
    pattern = read_pattern(path)
    regex = pattern.compile(wide=False)
    for other, proxy in others.items():
        is_below = other.startswith(f"{as_path_info(base)}/")
        if is_below and (regex.fullmatch(other) or pattern.names_below(other)):
            raise ValueError(f"{path} also names paths of the proxy {proxy!r}, whose base path is below {base or '/'}")
    return path


def _operations(product: Product, served: Served) -> Sequence[tuple[str, Operation]]:
    if product.sources is not None:
        return [(each.proxy, operation) for each in product.sources for operation in each.operations]
    if product.others:  # they say what is open, and not that all is
        return []
    resources = product.resources or (EVERYTHING,)
    proxies = product.proxies or [proxy for proxy, paths in served.base_paths.items() if paths]
    return [(proxy, Operation(resource, ())) for proxy in proxies for resource in resources]


def translated(resource: str, base: str) -> str:
    """A resource of a proxy, as the pattern of its paths here.

    ``*`` is one segment of a path, ``**`` at the end one or more of them. Only ``/`` is everything: the base path
    itself, and all below.

    :param base: the base path of the proxy, without a slash at its end.
    :raises ValueError: no pattern expresses it.
    """
    if resource == EVERYTHING:
        return f"{base}/*"
    if not resource.startswith("/"):
        raise ValueError("it does not begin with /")
    *head, last = resource[1:].split("/")
    found = [_segment(each) for each in head]
    found += ["{}", "*"] if last == "**" else [_segment(last)]
    return "/".join([base, *found])


def _segment(text: str) -> str:
    if text == "*":
        return "{}"
    if text == "**":
        raise ValueError("** is not at its end")
    if any(each in text for each in "*{}"):
        raise ValueError("a *, { or } is a part of a segment")
    return text


def read_methods(methods: Sequence[str]) -> frozenset[str] | None:
    """Methods as they are in a rule: ``None`` for all."""
    if bad := [each for each in methods if not _METHOD.fullmatch(each)]:
        raise ValueError(f"{bad[0]!r} is no method in capitals")
    return frozenset(methods) if methods else None


def written(methods: frozenset[str] | None) -> str:
    return ALL if methods is None else ",".join(sorted(methods))


def united(rules: Iterable[Rule]) -> list[str]:
    """The requests that rules open together, each path once, in the order of the paths."""
    opened: dict[str, frozenset[str] | None] = {}
    for rule in rules:
        for path in rule.paths:
            before = opened.get(path, frozenset())
            opened[path] = None if before is None or rule.methods is None else before | rule.methods
    return [f"{written(methods)} {path}" for path, methods in sorted(opened.items())]


def _shown(methods: Sequence[str]) -> str:
    return ",".join(methods) or ALL


def nearest_rate(quota: Quota) -> str:
    """The rate limit of a client that is nearest to a quota and lets no more through; empty if there is none."""
    if not _COUNT.fullmatch(quota.limit) or not _COUNT.fullmatch(quota.interval or "1"):
        return ""
    seconds = int(quota.interval or 1) * (_DAYS.get(quota.unit, 0) * UNITS["day"] or UNITS.get(quota.unit, 0))
    for unit, length in UNITS.items():
        if seconds and unit in _RATES.get(quota.unit, ("day",)) and (amount := int(quota.limit) * length // seconds):
            return f"{amount}/{unit}"
    return ""
