"""The options: one table of name, default, converter and help, for keyword arguments, ini strings and flags alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypedDict

from .cherrypy import rules_of
from .converters import (
    Convert,
    audience,
    boolean,
    files,
    integer,
    one_of,
    own_path,
    prefix,
    public_paths,
    realm,
    rules,
    scopes,
    seconds,
    secret,
    some_of,
    store,
    url,
)
from .errors import DEFAULT_REALM, ConfigError, Faults
from .model import CLIENT_AUTH_METHODS, MAX_LIFETIME
from .protocols import Store
from .rules import Pattern, Rule, Rules
from .urls import is_url, resource_metadata_path, server_metadata_path

STORE_URLS = (
    "sqlite:///file, postgresql+psycopg://user@host/database, redis://host (also rediss://, unix://, "
    "redis+sentinel://, redis+cluster://) or memory://"
)


def option(default: object, convert: Convert, help: str, *, shown: bool = True) -> Any:
    return field(default=default, repr=shown, metadata={"convert": convert, "help": help})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All options, converted. Only :mod:`oauth_mw.assembly` and its parts read them, while they build."""

    store: str | Store = option(
        MISSING,
        store,
        f"Where clients and tokens lie: {STORE_URLS}",
        shown=False,
    )
    token_path: str | None = option("/oauth/token", own_path, "Path of the token endpoint, or off")
    revocation_path: str | None = option("/oauth/revoke", own_path, "Path of the revocation endpoint, or off")
    introspection_path: str | None = option("/oauth/introspect", own_path, "Path of the introspection endpoint, or off")
    jwks_path: str | None = option(
        "/oauth/jwks", own_path, "With issuer: path of the keys that verify our JWTs (RFC 7517), or off"
    )
    metadata: bool = option(True, boolean, "With issuer: serve the well-known documents (RFC 8414, RFC 9728)")
    access_token_lifetime: int = option(
        3600,
        integer(1, MAX_LIFETIME),
        "Seconds that a token lives at least, for clients without a lifetime of their own",
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
    token_format: str = option(
        "opaque", one_of("opaque", "jwt"), "What is issued: opaque tokens, or jwt (RFC 9068), which needs issuer"
    )
    signing_algorithm: str = option("ES256", one_of("ES256", "EdDSA", "RS256"), "What new signing keys are for")
    issuer: str = option(
        "", url, "URL that names this authorization server in tokens and documents, to the letter; needs oauth_mw[jwt]"
    )
    public_url: str = option(
        "", url, "What clients put before our paths, the mount included; unset: the same as issuer"
    )
    audience: tuple[str, ...] = option(
        (),
        audience,
        "URIs that name this resource server: tokens for others are refused; unset: public_url",
    )
    key_encryption_secret: str | None = option(
        None, secret, "What private signing keys are encrypted with in the store, or in their files", shown=False
    )
    signing_key_lifetime: int | None = option(
        None,
        integer(3600, MAX_LIFETIME),
        "Seconds after which the next key signs by itself; unset: when oauth-mw key rotate says so",
    )
    signing_key_files: tuple[str, ...] = option(
        (), files, "PEM files of signing keys, instead of keys in the store: the first signs, all verify"
    )
    public_paths: tuple[Pattern, ...] = option((), public_paths, "Paths that need no token: /x, /x/*, /x/{name}")
    required_scopes: tuple[Rule, ...] = option((), rules, "Rules METHODS PATH SCOPES, the first match holds")
    ambiguous_paths: str = option(
        "refuse",
        one_of("refuse", "refuse cherrypy", "pass"),
        "With rules: refuse or pass paths that an app could read in two ways; for CherryPy apps: refuse cherrypy",
    )
    trust_vhm_root: bool = option(
        False, boolean, "Accept the header X-Vhm-Root (Pyramid), which a proxy must set or remove on every request"
    )
    preflight: bool = option(False, boolean, "Let CORS preflights through to the app's views, without a token")
    delay_auth_decision: bool = option(
        False, boolean, "Where no rule names the path, pass requests without a good token, with oauth_mw.error set"
    )
    remote_user: bool = option(False, boolean, "Also set REMOTE_USER to the client id and AUTH_TYPE to Bearer")
    strip_authorization: bool = option(False, boolean, "Hide the Authorization header of accepted requests")
    realm: str = option(DEFAULT_REALM, realm, "Realm of the challenges")
    cache_size: int = option(
        10_000,
        integer(2, 10_000_000),
        "Verified tokens that a worker keeps in memory: the last that were used; at most twice as many",
    )
    leeway_seconds: float = option(
        0.0, seconds(0, 60), "How long after its expiry a token is still accepted, for clocks that differ"
    )
    revocation_lag_seconds: float = option(
        1.0,
        seconds(0.05, 3600, or_zero=True),
        "With PostgreSQL or Redis: how late a worker may see what another revoked, 0.05 or more; "
        "0 asks the store at every request",
    )
    outage_grace_seconds: float = option(
        0.0,
        seconds(0, 24 * 3600),
        "How long cached tokens stay good while the store is down; "
        "revocations made meanwhile, or within the lag before, are not seen",
    )
    store_timeout_seconds: float = option(5.0, seconds(0.1, 300), "How long a request may wait for the store")

    @cached_property
    def path_rules(self) -> Rules:
        """The rules, compiled.

        :raises ConfigError: as :class:`~oauth_mw.rules.Rules` does.
        """
        return rules_of(self.required_scopes, self.public_paths, own_paths(self), self.ambiguous_paths)

    @property
    def names(self) -> tuple[str, ...]:
        """What this resource server is called in ``aud``."""
        return self.audience or ((self.public_url,) if self.public_url else ())


_Text = str | None
_Switch = bool | str | None
_Whole = int | str | None
_Seconds = float | Decimal | Fraction | str | None
_Words = str | Sequence[str] | None
_Rules = str | Sequence[str | Sequence[str]] | None


class Options(TypedDict, total=False):
    """The options but for ``store``, with what each may be: a value of Python, the string of an ini, or ``None``, which
    is the default. For editors and type checkers: what they mean is said by :class:`Settings`."""

    token_path: _Text
    revocation_path: _Text
    introspection_path: _Text
    jwks_path: _Text
    metadata: _Switch
    access_token_lifetime: _Whole
    default_scope: _Words
    scope_policy: _Text
    grant_type_in: _Words
    token_prefix: _Text
    client_auth_methods: _Words
    token_format: _Text
    signing_algorithm: _Text
    issuer: _Text
    public_url: _Text
    audience: _Words
    key_encryption_secret: _Text
    signing_key_lifetime: _Whole
    signing_key_files: _Words
    public_paths: _Words
    required_scopes: _Rules
    ambiguous_paths: _Text
    trust_vhm_root: _Switch
    preflight: _Switch
    delay_auth_decision: _Switch
    remote_user: _Switch
    strip_authorization: _Switch
    realm: _Text
    cache_size: _Whole
    leeway_seconds: _Seconds
    revocation_lag_seconds: _Seconds
    outage_grace_seconds: _Seconds
    store_timeout_seconds: _Seconds


_PATHS = ("token_path", "revocation_path", "introspection_path", "jwks_path")
_NAMES = ("issuer", "public_url", "audience", "metadata")
RENAMED = {"odd_paths": "ambiguous_paths"}
OPTIONS: dict[str, Field[Any]] = {each.name: each for each in fields(Settings)}


def configure(options: Mapping[str, object]) -> Settings:
    """Convert and check ``options``; those left out, or ``None``, have their defaults.

    :raises ConfigError: with every fault: unknown, missing, of the wrong type, or at odds with another option.
    """
    faults = Faults()
    settings = read_options(options, faults)
    faults.raise_all()
    return settings


def read_options(options: Mapping[str, object], faults: Faults) -> Settings:
    """The same, with the faults added to those found before. An option that has one is left out of all further checks,
    so that each fault is reported once."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        with faults:
            _check_name(name)
            if value is not None:
                values[name] = _converted(name, value)
    with faults:
        if "store" not in values and faults.none_for("store"):
            raise ConfigError("store", f"is missing: {STORE_URLS}")
    settings = _filled(Settings(**{"store": "", **_switched_off(faults), **values}))
    for involved, check in _CHECKS:
        if faults.none_for(*involved):
            with faults:
                check(settings)
    return settings


def _check_name(name: str) -> None:
    if name in RENAMED:
        raise ConfigError(name, f"is called {RENAMED[name]} now")
    if name not in OPTIONS:
        near = get_close_matches(name, OPTIONS, 1, 0.5)
        raise ConfigError(name, "unknown option" + (f", did you mean {near[0]}?" if near else ""))


def _converted(name: str, value: object) -> Any:
    try:
        return OPTIONS[name].metadata["convert"](value)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(name, str(error)) from None


def _switched_off(faults: Faults) -> dict[str, object]:
    """Values that take what has a fault out of the comparison of paths."""
    off: dict[str, object] = {name: None for name in _PATHS if not faults.none_for(name)}
    return off if faults.none_for(*_NAMES) else {**off, "metadata": False}


def own_paths(settings: Settings) -> dict[str, str]:
    """The paths that the middleware answers itself, by option; ``resource_metadata`` is the other of ``metadata``.

    A document is served where all that it says is true: an authorization server has a token endpoint.
    """
    paths = {name: getattr(settings, name) for name in _PATHS if settings.issuer or name != "jwks_path"}
    if settings.issuer and settings.metadata and settings.token_path is not None:
        paths["metadata"] = server_metadata_path(settings.issuer)
    resource = documented_resource(settings)
    if resource is not None:
        paths["resource_metadata"] = resource_metadata_path(resource)
    return {name: path for name, path in paths.items() if path is not None}


def documented_resource(settings: Settings) -> str | None:
    """The identifier of this resource server for which there is a document (RFC 9728 §1.2): the first that is a URL."""
    if not (settings.issuer and settings.metadata):
        return None
    return next(filter(is_url, settings.names), None)


def _filled(settings: Settings) -> Settings:
    """With the defaults that follow from other options."""
    return replace(settings, public_url=settings.public_url or settings.issuer)


def _check_joserfc(settings: Settings) -> None:
    if settings.issuer and find_spec("joserfc") is None:
        raise ConfigError("issuer", "needs joserfc: pip install 'oauth_mw[jwt]'")


def _check_issuer(settings: Settings) -> None:
    needs_issuer = {
        "token_format = jwt": settings.token_format == "jwt",
        "signing_key_lifetime": settings.signing_key_lifetime is not None,
        "signing_key_files": bool(settings.signing_key_files),
    }
    needed_by = [name for name, is_set in needs_issuer.items() if is_set]
    if needed_by and not settings.issuer:
        raise ConfigError("issuer", f"is missing: {needed_by[0]} needs it")


def _check_keys(settings: Settings) -> None:
    if settings.signing_key_files and settings.signing_key_lifetime is not None:
        raise ConfigError("signing_key_lifetime", "is for keys in the store: those of signing_key_files stay")


def _check_own_paths(settings: Settings) -> None:
    taken: dict[str, str] = {}
    faults = Faults()
    for name, path in own_paths(settings).items():
        with faults:
            if path in taken:
                raise ConfigError(name if name in OPTIONS else "metadata", f"{path} is taken by {taken[path]}")
            taken[path] = name
    faults.raise_all()


def _check_rules(settings: Settings) -> None:
    settings.path_rules  # noqa: B018  # compiled once, here


# What is at odds with another option, and the options without which that cannot be said.
_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Settings], None]], ...] = (
    (("issuer",), _check_joserfc),
    (("issuer", "token_format"), _check_issuer),
    ((), _check_keys),
    ((), _check_own_paths),
    (("required_scopes", "public_paths", "ambiguous_paths"), _check_rules),
)
