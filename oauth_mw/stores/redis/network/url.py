"""Parse the URL of a Redis store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from ....errors import ConfigError

PORT = 6379
SENTINEL, CLUSTER = "redis+sentinel", "redis+cluster"
# The schemes with several hosts, and their default ports.
_SEVERAL = {SENTINEL: 26379, CLUSTER: PORT}

# No brace, which would move the hash tag, and no glob character, since the first contact searches by pattern.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_SERVICE = re.compile(r"[^\s/\0#;=]+")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:/?#@,\s]+)(?::([0-9]{1,5}))?")
# Text before an @ that may be hosts with ports and what follows them, so that the @ is a part of that.
_HOSTS = re.compile(r"\[|[^:/]*:\d*(,[^:/,]*(:\d*)?)*[/#;\s]")

Address = tuple[str, int]


@dataclass(frozen=True)
class RedisURL:
    """
    :param hosts: host and port of each named server; none for a Unix socket at ``path``.
    :param shown: the URL for messages, without users and passwords.
    :param service: what the Sentinels at ``hosts`` call the primary; empty without Sentinels.
    :param cluster: the servers at ``hosts`` are some nodes of a cluster.
    :param replicas: how many replicas must confirm a revocation or a client change before it is acknowledged.
    :param tls: redis-py's own options for TLS; ``None`` without TLS.
    :param sentinel_username: for the Sentinels, like ``sentinel_password``; empty if they require no password.
    """

    hosts: tuple[Address, ...]
    path: str
    shown: str
    service: str
    cluster: bool
    tls: Mapping[str, Any] | None
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    sentinel_username: str | None = field(repr=False)
    sentinel_password: str | None = field(repr=False)
    replicas: int
    db: int = 0
    prefix: str = "oauth_mw"
    max_connections: int = 50


def parse_url(url: str) -> RedisURL:
    """Read ``redis://``, ``rediss://`` (TLS), ``unix://``, ``redis+sentinel://`` or ``redis+cluster://``.

    :raises ConfigError: it is wrong; the message never contains a password.
    """
    if re.search("[\ud800-\udfff]", url):
        raise _wrong("expected UTF-8")
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    user, at, place = rest.rpartition("@")
    options = _options(scheme, query)
    name, colon, password = user.partition(":")
    username, secret = unquote(name) or None if at else None, unquote(password) if colon else None
    if re.search(r"[/#;=\s]", name) or _HOSTS.match(user):
        raise _wrong("expected user:password@ before the host, with the characters / # ; = in it as %2F %23 %3B %3D")
    hosts, path, service = _where(scheme, place, options)
    shown = [each for each in query.split("&") if unquote_plus(each.partition("=")[0]) not in _LOGINS]
    return RedisURL(
        hosts=hosts,
        path=path,
        shown=f"{scheme}://{place}" + (f"?{'&'.join(shown)}" if any(shown) else ""),
        service=service,
        cluster=scheme == CLUSTER,
        tls=_tls(scheme, options),
        username=username,
        password=secret,
        sentinel_username=options.pop("sentinel_username", username) or None,
        sentinel_password=options.pop("sentinel_password", secret),
        replicas=options.pop("replicas", 1 if scheme in _SEVERAL else 0),
        **options,
    )


def _where(scheme: str, place: str, options: dict[str, Any]) -> tuple[tuple[Address, ...], str, str]:
    """The hosts, the path of the socket, and the service that Sentinels watch."""
    named, _, rest = place.partition("/")
    if scheme == "unix":
        path = unquote(place)
        if not path.startswith("/") or "\0" in path or re.search("[#;=]", place):
            raise _wrong("expected unix:///path/of/socket")
        return (), path, ""
    if scheme not in _SEVERAL:
        if rest and "db" in options:
            raise _wrong("the number of the database stands in the path or in ?db=, not in both")
        host = _host(named or "localhost", PORT)
        options.setdefault("db", _number("the database", rest or "0", *_NUMBERS["db"]))
        return (host,), "", ""
    hosts = tuple(dict.fromkeys([_host(each, _SEVERAL[scheme]) for each in named.split(",")]))
    service = unquote(rest).rstrip("/")
    if scheme == CLUSTER and service:
        raise _wrong("a cluster has no databases: expected redis+cluster://host:port,host:port")
    if scheme == SENTINEL and not _SERVICE.fullmatch(service):
        raise _wrong("expected redis+sentinel://host:port,host:port/service")
    return hosts, "", service


def _tls(scheme: str, options: dict[str, Any]) -> Mapping[str, Any] | None:
    """Remove the options for TLS from ``options`` and return redis-py's; ``None`` without TLS."""
    given = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")}
    if scheme == "rediss" or options.pop("ssl", False):
        if given.get("ssl_cert_reqs") == "none":
            if "ssl_ca_certs" in given or given.get("ssl_check_hostname"):
                raise _wrong("ssl_cert_reqs=none checks no certificate: remove ssl_ca_certs and ssl_check_hostname")
            given["ssl_check_hostname"] = False
        # Older versions of redis-py do not check the host's name.
        return MappingProxyType({"ssl_check_hostname": True} | given)
    if given:
        raise _wrong(f"{next(iter(given))} is for TLS: turn it on by ssl=true")
    return None


def _wrong(message: str) -> ConfigError:
    return ConfigError("store", f"Redis URL: {message}")


def _host(text: str, port: int) -> Address:
    found = _HOST.fullmatch(unquote(text))
    port = int(found[2] or port) if found else 0
    if not found or not 0 < port < 65536:
        raise _wrong("expected host or host:port, with the characters / ? # @ : of a password as %2F %3F %23 %40 %3A")
    host = found[1].strip("[]")
    try:
        host.encode("idna")
    except UnicodeError:
        raise _wrong("a host's name is too long: 63 characters between two dots are the most") from None
    return host, port


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise _wrong(f"expected a number from {low} to {high} for {name}")
    return int(text)


_NUMBERS = {"replicas": (0, 100), "max_connections": (1, 10_000), "db": (0, 10_000)}
_ALL, _DB = ("prefix", "replicas", "max_connections"), ("db",)
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs")
_LOGINS = ("sentinel_username", "sentinel_password")
_KNOWN = {
    "redis": _ALL + _DB,
    "unix": _ALL + _DB,
    "rediss": _ALL + _DB + _TLS,
    SENTINEL: (*_ALL, *_DB, "ssl", *_TLS, *_LOGINS),
    CLUSTER: (*_ALL, "ssl", *_TLS),
}


def _value(name: str, text: str) -> str | int | bool:
    if name in _NUMBERS:
        return _number(name, text, *_NUMBERS[name])
    if name in ("ssl", "ssl_check_hostname"):
        if text not in ("true", "false"):
            raise _wrong(f"expected true or false for {name}")
        return text == "true"
    if name == "ssl_cert_reqs" and text not in ("required", "none"):
        raise _wrong("expected required or none for ssl_cert_reqs")
    if name == "prefix" and not _PREFIX.fullmatch(text):
        raise _wrong("a prefix has from 1 to 64 letters, digits and _ . -")
    return text


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
        options[name] = _value(name, value)
    return options
