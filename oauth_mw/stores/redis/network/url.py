"""The URL of a Redis store: where the servers are, and what is said about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from ....errors import ConfigError

PORT = 6379
SENTINEL_PORT = 26379
SENTINEL = "redis+sentinel"
CLUSTER = "redis+cluster"
DEFAULT_PREFIX = "oauth_mw"
MAX_CONNECTIONS = 50

# Where several hosts are named, and where each listens when nothing else is said.
_SEVERAL = {SENTINEL: SENTINEL_PORT, CLUSTER: PORT}

# No brace: it would move the hash tag; no glob character: the first look searches by pattern.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_SERVICE = re.compile(r"[^\s/\0#;=]+")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:/?#@,\s]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True)
class RedisURL:
    """
    :param hosts: host and port of each server that is named; none for a Unix socket at ``path``.
    :param service: what the Sentinels at ``hosts`` call the primary; empty without Sentinels.
    :param cluster: the servers at ``hosts`` are some nodes of a cluster.
    :param replicas: how many replicas must have a revocation or a client change before it is answered.
    :param tls: redis-py's own options for TLS; ``None`` without TLS.
    :param shown: the URL for people, without users and passwords.
    :param sentinel_username: for the Sentinels, as ``sentinel_password``; an empty password: they want none.
    """

    hosts: tuple[tuple[str, int], ...]
    path: str
    service: str
    cluster: bool
    db: int
    prefix: str
    replicas: int
    max_connections: int
    shown: str
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    sentinel_username: str | None = field(repr=False)
    sentinel_password: str | None = field(repr=False)
    tls: Mapping[str, Any] | None = None


def parse_url(url: str) -> RedisURL:
    """Read ``redis://``, ``rediss://`` (TLS), ``unix://``, ``redis+sentinel://`` or ``redis+cluster://``.

    :raises ConfigError: naming what cannot be, never the password.
    """
    scheme, _, rest = _text(url).partition("://")
    rest, _, query = rest.partition("?")
    user, at, place = rest.rpartition("@")
    options = _options(scheme, query)
    name, colon, password = user.partition(":")
    username, secret = unquote(name) or None if at else None, unquote(password) if colon else None
    path = service = ""
    hosts: tuple[tuple[str, int], ...] = ()
    if re.search(r"[/#;=\s]", name):
        raise _wrong(
            "expected user:password@ before the host, with the characters / # ; = of a user as %2F %23 %3B %3D"
        )
    if scheme == "unix":
        path = unquote(place)
        if not path.startswith("/") or "\0" in path or re.search("[#;=]", place):
            raise _wrong("expected unix:///path/of/socket")
    elif scheme in _SEVERAL:
        hosts, service = _several(scheme, place)
    else:
        place, _, db = place.partition("/")
        hosts = (_host(place or "localhost", PORT),)
        if db and "db" in options:
            raise _wrong("the number of the database stands in the path or in ?db=, not in both")
        options.setdefault("db", _number("the database", 0, 10_000)(db or "0"))
    return RedisURL(
        hosts=hosts,
        path=path,
        service=service,
        cluster=scheme == CLUSTER,
        db=options.get("db", 0),
        prefix=options.get("prefix", DEFAULT_PREFIX),
        replicas=options.get("replicas", 1 if scheme in _SEVERAL else 0),
        max_connections=options.get("max_connections", MAX_CONNECTIONS),
        shown=_shown(scheme, rest, query),
        username=username,
        password=secret,
        sentinel_username=options.get("sentinel_username", username) or None,
        sentinel_password=options.get("sentinel_password", secret),
        tls=_tls(scheme, options),
    )


def _text(url: str) -> str:
    if re.search("[\ud800-\udfff]", url):
        raise _wrong("expected UTF-8")
    return url


def _several(scheme: str, place: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The hosts, and the service that they watch over."""
    named, _, path = place.partition("/")
    hosts = tuple(dict.fromkeys([_host(each, _SEVERAL[scheme]) for each in named.split(",")]))
    service = unquote(path).rstrip("/")
    if scheme == CLUSTER and service:
        raise _wrong("a cluster has no databases: expected redis+cluster://host:port,host:port")
    if scheme == SENTINEL and not _SERVICE.fullmatch(service):
        raise _wrong("expected redis+sentinel://host:port,host:port/service")
    return hosts, service


def _shown(scheme: str, rest: str, query: str) -> str:
    options = [each for each in query.split("&") if unquote_plus(each.partition("=")[0]) not in _LOGINS]
    return f"{scheme}://{rest.rpartition('@')[2]}" + (f"?{'&'.join(options)}" if any(options) else "")


def _tls(scheme: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    asked = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if scheme != "rediss" and not options.get("ssl"):
        if asked:
            raise _wrong(f"{next(iter(asked))} is for TLS: ssl=true asks for it")
        return None
    # Older redis-py leaves the host's name unchecked.
    return MappingProxyType({"ssl_check_hostname": True} | asked)


def _wrong(message: str) -> ConfigError:
    return ConfigError("store", f"Redis URL: {message}")


def _host(text: str, port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(unquote(text))
    port = int(found[2] or port) if found else 0
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


def _boolean(name: str) -> Callable[[str], bool]:
    def convert(text: str) -> bool:
        if text not in ("true", "false"):
            raise _wrong(f"expected true or false for {name}")
        return text == "true"

    return convert


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "prefix": _prefix,
    "replicas": _number("replicas", 0, 100),
    "max_connections": _number("max_connections", 1, 10_000),
}
_DB: dict[str, Callable[[str], Any]] = {"db": _number("db", 0, 10_000)}
_TLS: dict[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_check_hostname": _boolean("ssl_check_hostname"),
}
_LOGINS: dict[str, Callable[[str], Any]] = {"sentinel_username": str, "sentinel_password": str}
_KNOWN: dict[str, dict[str, Callable[[str], Any]]] = {
    "redis": _OPTIONS | _DB,
    "unix": _OPTIONS | _DB,
    "rediss": _OPTIONS | _DB | _TLS,
    SENTINEL: _OPTIONS | _DB | {"ssl": _boolean("ssl")} | _TLS | _LOGINS,
    CLUSTER: _OPTIONS | {"ssl": _boolean("ssl")} | _TLS,
}


def _options(scheme: str, query: str) -> dict[str, Any]:
    known = _KNOWN[scheme]
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
