"""The options: one table of name, default, converter and help, for keyword arguments, ini strings and flags alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from .errors import DEFAULT_REALM, ConfigError
from .model import CLIENT_AUTH_METHODS, MAX_LIFETIME
from .protocols import Store
from .rules import Pattern, Rule, is_odd, parse_pattern, parse_rule

OFF = "off"
STORE_URLS = (
    "sqlite:///file, postgresql+psycopg://user@host/database, redis://host (also rediss://, unix://, "
    "redis+sentinel://, redis+cluster://) or memory://"
)
_TRUE = frozenset("true yes on y t 1".split())
_FALSE = frozenset("false no off n f 0".split())
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_PREFIX = re.compile(r"[A-Za-z0-9._~+/-]{0,32}", re.ASCII)

Convert = Callable[[object], Any]


def boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"expected true or false, got {value!r}")


def integer(low: int, high: int) -> Convert:
    def convert(value: object) -> int:
        text = value.strip() if isinstance(value, str) else str(value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}, got {value!r}")
        return int(text)

    return convert


def seconds(low: float, high: float) -> Convert:
    def convert(value: object) -> float:
        text = value.strip() if isinstance(value, str) else str(value)
        number = float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text, re.ASCII) else low - 1
        if not low <= number <= high:
            raise ValueError(f"expected seconds from {low:g} to {high:g}, got {value!r}")
        return number

    return convert


def own_path(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a path that begins with /, or {OFF}, got {value!r}")
    if value == OFF:
        return None
    if is_odd(value) or any(mark in value for mark in "*{}") or not value.isascii():
        raise ValueError(f"expected an exact ASCII path that begins with /, without patterns, or {OFF}, got {value!r}")
    return value


def words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Sequence) and all(isinstance(word, str) and word for word in value):
        return tuple(value)
    raise ValueError(f"expected a list, or words separated by spaces, got {value!r}")


def some_of(known: Collection[str]) -> Convert:
    def convert(value: object) -> tuple[str, ...]:
        chosen = words(value)
        if not chosen or not set(chosen) <= set(known):
            raise ValueError(f"expected one or more of {', '.join(known)}, got {value!r}")
        return tuple(dict.fromkeys(chosen))

    return convert


def one_of(*known: str) -> Convert:
    def convert(value: object) -> str:
        if value not in known:
            raise ValueError(f"expected {' or '.join(known)}, got {value!r}")
        return str(value)

    return convert


def scopes(value: object) -> tuple[str, ...]:
    """Scope tokens (RFC 6749 §3.3), a list or one string."""
    chosen = words(value)
    for scope in chosen:
        if not _SCOPE_TOKEN.fullmatch(scope):
            raise ValueError(f"{scope!r} is not a scope (RFC 6749 §3.3)")
    return tuple(dict.fromkeys(chosen))


def public_paths(value: object) -> tuple[Pattern, ...]:
    return tuple(parse_pattern(text, "public_paths") for text in words(value))


def rules(value: object) -> tuple[Rule, ...]:
    if isinstance(value, str):
        value = [line for line in map(str.strip, value.splitlines()) if line]
    if not isinstance(value, Sequence):
        raise ValueError(f"expected rules, each (METHODS, PATH, SCOPES) or a line of the three, got {value!r}")
    return tuple(map(parse_rule, value))


def realm(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}", value):
        raise ValueError(f"expected printable ASCII without quotes and backslash, got {value!r}")
    return value


def prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError(f"expected at most 32 letters, digits or . _ ~ + / - (RFC 6750 §2.1), got {value!r}")
    return value


def store(value: object) -> str | Store:
    if isinstance(value, str) or hasattr(value, "read_log"):
        return value  # type: ignore[return-value]  # by what it can do
    raise ValueError(f"expected a store URL or an open store, got {value!r}")


def option(default: object, convert: Convert, help: str, *, shown: bool = True) -> Any:
    return field(default=default, repr=shown, metadata={"convert": convert, "help": help})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All options, converted. Only :mod:`oauth_mw.assembly` reads them, while it builds."""

    store: str | Store = option(
        MISSING,
        store,
        f"Where clients and tokens lie: {STORE_URLS}",
        shown=False,
    )
    token_path: str | None = option("/oauth/token", own_path, "Path of the token endpoint, or off")
    revocation_path: str | None = option("/oauth/revoke", own_path, "Path of the revocation endpoint, or off")
    introspection_path: str | None = option("/oauth/introspect", own_path, "Path of the introspection endpoint, or off")
    access_token_lifetime: int = option(
        3600, integer(1, MAX_LIFETIME), "Seconds that a token lives, for clients without a lifetime of their own"
    )
    default_scope: tuple[str, ...] | None = option(
        None,
        scopes,
        "What a client without a default of its own gets when it asks for no scope; unset: all it may have",
    )
    scope_policy: str = option(
        "strict",
        one_of("strict", "narrow"),
        "strict refuses a scope that the client may not have, narrow drops it",
    )
    grant_type_in: tuple[str, ...] = option(
        ("body",), some_of(("body", "query", "header")), "Where grant_type may stand: body, query, header"
    )
    token_prefix: str = option("", prefix, "What every issued token begins with, for secret scanners")
    client_auth_methods: tuple[str, ...] = option(
        CLIENT_AUTH_METHODS,
        some_of(CLIENT_AUTH_METHODS),
        "How clients may authenticate: client_secret_basic, client_secret_post",
    )
    public_paths: tuple[Pattern, ...] = option((), public_paths, "Paths that need no token: /x, /x/*, /x/{name}")
    required_scopes: tuple[Rule, ...] = option((), rules, "Rules METHODS PATH SCOPES, the first match holds")
    odd_paths: str = option(
        "refuse",
        one_of("refuse", "pass"),
        "With rules: refuse or pass paths that an app could read in two ways",
    )
    preflight: bool = option(False, boolean, "Let CORS preflights through to the app, without identity")
    delay_auth_decision: bool = option(
        False, boolean, "Where no rule names the path, pass requests without a good token, with oauth_mw.error set"
    )
    remote_user: bool = option(False, boolean, "Also set REMOTE_USER to the client id and AUTH_TYPE to Bearer")
    strip_authorization: bool = option(False, boolean, "Hide the Authorization header of accepted requests")
    realm: str = option(DEFAULT_REALM, realm, "Realm of the challenges")
    cache_size: int = option(10_000, integer(2, 10_000_000), "Verified tokens that a worker keeps in memory")
    revocation_lag_seconds: float = option(
        1.0,
        seconds(0, 3600),
        "With PostgreSQL or Redis: how late a worker may see what another revoked; 0 asks the store at every request",
    )
    outage_grace_seconds: float = option(
        0.0,
        seconds(0, 24 * 3600),
        "How long cached tokens stay good while the store is down; "
        "revocations made meanwhile, or within the lag before, are not seen",
    )
    store_timeout_seconds: float = option(5.0, seconds(0.1, 300), "How long a request may wait for the store")


OPTIONS: dict[str, Field[Any]] = {each.name: each for each in fields(Settings)}


def configure(options: Mapping[str, object]) -> Settings:
    """Convert and check ``options``; those left out, or ``None``, have their defaults.

    :raises ConfigError: unknown, missing, of the wrong type, or at odds with each other.
    """
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            near = get_close_matches(name, OPTIONS, 1, 0.5)
            raise ConfigError(name, "unknown option" + (f", did you mean {near[0]}?" if near else ""))
        if value is None:
            continue
        try:
            values[name] = OPTIONS[name].metadata["convert"](value)
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(name, str(error)) from None
    if "store" not in values:
        raise ConfigError("store", f"is missing: {STORE_URLS}")
    settings = Settings(**values)
    _check_own_paths(settings)
    return settings


def own_paths(settings: Settings) -> dict[str, str]:
    """The paths that the middleware answers itself, by option."""
    paths = {name: getattr(settings, name) for name in ("token_path", "revocation_path", "introspection_path")}
    return {name: path for name, path in paths.items() if path is not None}


def _check_own_paths(settings: Settings) -> None:
    taken: dict[str, str] = {}
    for name, path in own_paths(settings).items():
        if path in taken:
            raise ConfigError(name, f"{path} is taken by {taken[path]}")
        taken[path] = name
