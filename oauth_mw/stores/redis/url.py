"""The URL of a Redis store: where the servers are, and what is said about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote

from ...errors import ConfigError

PORT = 6379
DEFAULT_PREFIX = "oauth_mw"
MAX_CONNECTIONS = 50

# No brace: it would move the hash tag; no glob character: the first look searches by pattern.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:/?#@,\s]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True)
class RedisURL:
    """
    :param hosts: host and port of each server that is named; none for a Unix socket at ``path``.
    :param replicas: how many replicas must have a revocation or a client change before it is answered.
    :param tls: redis-py's own options for TLS; ``None`` without TLS.
    :param shown: the URL for people, without user and password.
    """

    hosts: tuple[tuple[str, int], ...]
    path: str
    db: int
    prefix: str
    replicas: int
    max_connections: int
    shown: str
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    tls: Mapping[str, Any] | None = None


def parse_url(url: str) -> RedisURL:
    """Read ``redis://``, ``rediss://`` (TLS) or ``unix://``.

    :raises ConfigError: naming what cannot be, never the password.
    """
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    user, at, place = rest.rpartition("@")
    options = _options(scheme, query)
    name, colon, password = user.partition(":")
    path = ""
    hosts: tuple[tuple[str, int], ...] = ()
    if scheme == "unix":
        path = unquote(place)
        if not path.startswith("/") or "\0" in path:
            raise _wrong("expected unix:///path/of/socket")
    else:
        place, _, db = place.partition("/")
        hosts = (_host(place or "localhost"),)
        if db and "db" in options:
            raise _wrong("the number of the database stands in the path or in ?db=, not in both")
        options.setdefault("db", _number("the database", 0, 10_000)(db or "0"))
    tls = None
    if scheme == "rediss":
        # Older redis-py leaves the host's name unchecked.
        tls = {"ssl_check_hostname": True} | {key: value for key, value in options.items() if key.startswith("ssl_")}
    return RedisURL(
        hosts=hosts,
        path=path,
        db=options.get("db", 0),
        prefix=options.get("prefix", DEFAULT_PREFIX),
        replicas=options.get("replicas", 0),
        max_connections=options.get("max_connections", MAX_CONNECTIONS),
        shown=f"{scheme}://{rest.rpartition('@')[2]}" + (f"?{query}" if query else ""),
        username=unquote(name) or None if at else None,
        password=unquote(password) if colon else None,
        tls=None if tls is None else MappingProxyType(tls),
    )


def _wrong(message: str) -> ConfigError:
    return ConfigError("store", f"Redis URL: {message}")


def _host(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(unquote(text))
    port = int(found[2] or PORT) if found else 0
    if not found or not 0 < port < 65536:
        raise _wrong("expected host or host:port, with the characters / ? # @ : of a password as %2F %3F %23 %40 %3A")
    host = found[1].strip("[]")
    try:
        host.encode("idna")
    except UnicodeError:
        raise _wrong("a host's name is longer than names can be") from None
    return host, port


def _number(what: str, low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise _wrong(f"expected a number from {low} to {high} for {what}")
        return int(text)

    return convert


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise _wrong("a prefix has from 1 to 64 letters, digits and _ . -")
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise _wrong("expected true or false for ssl_check_hostname")
    return text == "true"


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "prefix": _prefix,
    "replicas": _number("replicas", 0, 100),
    "max_connections": _number("max_connections", 1, 10_000),
    "db": _number("db", 0, 10_000),
}
_TLS_OPTIONS: dict[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_check_hostname": _boolean,
}


def _options(scheme: str, query: str) -> dict[str, Any]:
    known = {**_OPTIONS, **_TLS_OPTIONS} if scheme == "rediss" else _OPTIONS
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _wrong("what follows the question mark is not name=value&name=value") from None
    options: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            raise _wrong(f"unknown option; known: {', '.join(known)} (user and password stand before the @)")
        if name in options:
            raise _wrong(f"{name} is given twice")
        options[name] = known[name](value)
    return options
