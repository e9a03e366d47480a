"""Find what stands behind a WSGI app: the apps and middleware that it leads to, by the attributes that are in use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from .apps import BEHIND, OWN
from .middleware import OAuthMiddleware

# Where frameworks, middleware and test clients keep the app behind them, and apps that are mounted.
_ATTRIBUTES = (*OWN, *BEHIND, "_app", "middleware_wraps", "__wrapped__")
_MOUNTS = ("mounts", "apps", "routes", "callback")
_MADE_UP = "no_object_has_this_attribute"
_LEAVES = (str, bytes, int, float, type, ModuleType, CodeType, type(None))
_LIMIT = 20_000  # objects that are looked at


class Place(NamedTuple):
    """An object, how it was reached (``name``), and the path at which it is mounted."""

    found: Any
    name: str
    mount: str = ""


def middlewares(app: object, name: str = "app") -> Iterator[Place]:
    """Yield each :class:`~oauth_mw.OAuthMiddleware` that the app leads to, nearest first."""
    return (place for place in walk(Place(app, name)) if issubclass(type(place.found), OAuthMiddleware))


def walk(start: Place, is_end: Callable[[object], object] = lambda found: False) -> Iterator[Place]:
    """Yield all objects that one leads to, each once, nearest first, but none behind those that are an end."""
    waiting = deque([start])
    seen: dict[int, object] = {}  # the objects too: the id of one that is freed would be given again
    while waiting and len(seen) < _LIMIT:
        place = waiting.popleft()
        if issubclass(type(place.found), _LEAVES) or id(place.found) in seen:
            continue
        seen[id(place.found)] = place.found
        yield place
        if not is_end(place.found):
            waiting.extend(_behind(place))


def _behind(place: Place) -> Iterator[Place]:
    """The objects that one leads to."""
    each, name, mount = place
    kind = type(each)  # isinstance() would have a proxy load its object
    if issubclass(kind, Mapping):
        for key, value in each.items():
            yield Place(value, f"{name}[{key!r}]", mount + mount_path(key))
    elif issubclass(kind, list | tuple):
        for at, value in enumerate(each):
            yield Place(value, f"{name}[{at}]", mount)
    elif kind is MethodType:
        yield Place(each.__self__, name, mount)
        yield Place(each.__func__, name, mount)
    elif issubclass(kind, partial):
        for value in (each.func, *each.args, *each.keywords.values()):
            yield Place(value, name, mount)
    elif _attribute(each, _MADE_UP) is None:
        if kind is FunctionType:
            yield from (Place(value, f"{name}:{variable}", mount) for variable, value in _variables(each))
        mount += bottle_mount(each)
        for attribute in (*_ATTRIBUTES, *_MOUNTS):
            yield Place(_attribute(each, attribute), f"{name}.{attribute}", mount)


def _variables(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The variables of a function's closure, and the globals that it uses and that can be called."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            pass
    for name in function.__code__.co_names:
        if callable(value := function.__globals__.get(name)):
            yield name, value


def _attribute(each: object, name: str) -> object:
    try:
        return getattr(each, name, None)
    except Exception:  # a proxy outside of a request
        return None


def mount_path(key: object) -> str:
    """The path of a key in a mapping of mounts; Paste's have the host too. Empty for all else."""
    path = key[-1] if isinstance(key, tuple) and len(key) == 2 else key
    return path.rstrip("/") if isinstance(path, str) and path.startswith("/") else ""


def bottle_mount(route: object) -> str:
    """The path at which a route of Bottle mounts a WSGI app; empty for all else."""
    config = _attribute(route, "config")
    prefix = config.get("mountpoint.prefix") if isinstance(config, Mapping) else None
    return "/" + prefix.strip("/") if isinstance(prefix, str) else ""
