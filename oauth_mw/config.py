"""The options: one table of name, default, converter and help, for keyword arguments, ini strings and flags alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypedDict

from . import converters as to
from .cherrypy import REFUSE_CHERRYPY, CherryPyRules
from .errors import DEFAULT_REALM, ConfigError, Faults
from .model import CLIENT_AUTH_METHODS, MAX_LIFETIME
from .protocols import Store
from .rules import Pattern, Rule, Rules
from .urls import is_url, resource_metadata_path, server_metadata_path

STORE_URLS = (
    "sqlite:///file, postgresql+psycopg://user@host/database, redis://host (also rediss://, unix://, "
    "redis+sentinel://, redis+cluster://) or memory://"
)


def option(default: object, convert: to.Convert, help: str, *, shown: bool = True) -> Any:
    return field(default=default, repr=shown, metadata={"convert": convert, "help": help})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All options, converted. Only :mod:`oauth_mw.assembly` and its parts read them, at start-up."""

    store: str | Store = option(MISSING, to.store, f"Store for clients and tokens: {STORE_URLS}", shown=False)
    token_path: str | None = option("/oauth/token", to.own_path, "Path of the token endpoint, or off")
    revocation_path: str | None = option("/oauth/revoke", to.own_path, "Path of the revocation endpoint, or off")
    introspection_path: str | None = option(
        "/oauth/introspect", to.own_path, "Path of the introspection endpoint, or off"
    )
    jwks_path: str | None = option(
        "/oauth/jwks", to.own_path, "With issuer: path of the keys that verify our JWTs (RFC 7517), or off"
    )
    metadata: bool = option(True, to.boolean, "With issuer: serve the well-known documents (RFC 8414, RFC 9728)")
    access_token_lifetime: int = option(
        3600,
        to.integer(1, MAX_LIFETIME),
        "Seconds for which a token is valid, at least; for clients without a lifetime of their own",
    )
    default_scope: tuple[str, ...] | None = option(
        None,
        to.scopes,
        "Scope granted when a request names none, for clients without a default of their own; "
        "unset: all that the client may have",
    )
    scope_policy: str = option(
        "strict", to.one_of("strict", "narrow"), "strict refuses a scope that the client may not have, narrow drops it"
    )
    grant_type_in: tuple[str, ...] = option(
        ("body",), to.some_of(("body", "query", "header")), "Where grant_type is accepted: body, query, header"
    )
    token_prefix: str = option("", to.prefix, "Prefix of every opaque token, for secret scanners")
    client_auth_methods: tuple[str, ...] = option(
        CLIENT_AUTH_METHODS,
        to.some_of(CLIENT_AUTH_METHODS),
        "How clients may authenticate: client_secret_basic, client_secret_post",
    )
    token_format: str = option(
        "opaque", to.one_of("opaque", "jwt"), "Format of issued tokens: opaque, or jwt (RFC 9068), which needs issuer"
    )
    signing_algorithm: str = option(
        "ES256", to.one_of("ES256", "EdDSA", "RS256"), "Algorithm of new signing keys: ES256, EdDSA or RS256"
    )
    issuer: str = option(
        "",
        to.url,
        "URL that identifies this authorization server in tokens and documents, compared exactly; needs oauth_mw[jwt]",
    )
    public_url: str = option(
        "", to.url, "Base URL of these endpoints for clients, including the mount; unset: the same as issuer"
    )
    audience: tuple[str, ...] = option(
        (),
        to.audience,
        "URIs that identify this resource server; tokens for other audiences are refused; unset: public_url",
    )
    key_encryption_secret: str | None = option(
        None, to.secret, "Secret that encrypts private signing keys in the store or in signing_key_files", shown=False
    )
    signing_key_lifetime: int | None = option(
        None,
        to.integer(3600, MAX_LIFETIME),
        "Seconds after which a new key takes over automatically; unset: only after oauth-mw key rotate",
    )
    signing_key_files: tuple[str, ...] = option(
        (), to.files, "PEM files of signing keys, instead of keys in the store: the first signs, all verify"
    )
    public_paths: tuple[Pattern, ...] = option((), to.public_paths, "Paths that need no token: /x, /x/*, /x/{name}")
    required_scopes: tuple[Rule, ...] = option((), to.rules, "Rules METHODS PATH SCOPES; the first match decides")
    ambiguous_paths: str = option(
        "refuse",
        to.one_of("refuse", REFUSE_CHERRYPY, "pass"),
        "With rules: refuse or pass paths that an app could read in two ways; for CherryPy apps: refuse cherrypy",
    )
    trust_vhm_root: bool = option(
        False, to.boolean, "Accept the header X-Vhm-Root (Pyramid), which a proxy must set or remove on every request"
    )
    preflight: bool = option(False, to.boolean, "Pass CORS preflights to the app's views without a token")
    delay_auth_decision: bool = option(
        False,
        to.boolean,
        "Where no rule names the path, pass requests without a valid token to the app, with oauth_mw.error set",
    )
    remote_user: bool = option(False, to.boolean, "Also set REMOTE_USER to the client id and AUTH_TYPE to Bearer")
    strip_authorization: bool = option(False, to.boolean, "Hide the Authorization header of accepted requests")
    realm: str = option(DEFAULT_REALM, to.realm, "Realm of the challenges")
    cache_size: int = option(
        10_000,
        to.integer(2, 10_000_000),
        "Verified tokens that each worker caches, the most recently used; at most twice as many",
    )
    leeway_seconds: float = option(
        0.0, to.seconds(0, 60), "Seconds for which a token is accepted after its expiry, for clocks that differ"
    )
    revocation_lag_seconds: float = option(
        1.0,
        to.seconds(0.05, 3600, or_zero=True),
        "With PostgreSQL or Redis: maximum seconds until all workers see a revocation, 0.05 or more; "
        "0 queries the store at every request",
    )
    outage_grace_seconds: float = option(
        0.0,
        to.seconds(0, 24 * 3600),
        "Seconds for which cached tokens are accepted while the store is down; "
        "revocations made during that time, or within the lag before it, are not seen",
    )
    store_timeout_seconds: float = option(
        5.0, to.seconds(0.1, 300), "Maximum seconds that a request waits for the store"
    )

    @cached_property
    def path_rules(self) -> Rules:
        """The rules, compiled, or a ``ConfigError``."""
        given = self.required_scopes, self.public_paths, own_paths(self)
        return CherryPyRules(*given) if self.ambiguous_paths == REFUSE_CHERRYPY else Rules(*given, self.ambiguous_paths)

    @property
    def names(self) -> tuple[str, ...]:
        """The identifiers of this resource server in ``aud``."""
        return self.audience or ((self.public_url,) if self.public_url else ())


_Text = str | None
_Boolean = bool | str | None
_Integer = int | str | None
_Seconds = float | Decimal | Fraction | str | None
_List = str | Sequence[str] | None
_Rules = str | Sequence[str | Sequence[str]] | None


class Options(TypedDict, total=False):
    """The options except ``store``, typed for editors and type checkers; :class:`Settings` documents them.

    Each is a Python value, the string of an ini, or ``None`` for the default.
    """

    token_path: _Text
    revocation_path: _Text
    introspection_path: _Text
    jwks_path: _Text
    metadata: _Boolean
    access_token_lifetime: _Integer
    default_scope: _List
    scope_policy: _Text
    grant_type_in: _List
    token_prefix: _Text
    client_auth_methods: _List
    token_format: _Text
    signing_algorithm: _Text
    issuer: _Text
    public_url: _Text
    audience: _List
    key_encryption_secret: _Text
    signing_key_lifetime: _Integer
    signing_key_files: _List
    public_paths: _List
    required_scopes: _Rules
    ambiguous_paths: _Text
    trust_vhm_root: _Boolean
    preflight: _Boolean
    delay_auth_decision: _Boolean
    remote_user: _Boolean
    strip_authorization: _Boolean
    realm: _Text
    cache_size: _Integer
    leeway_seconds: _Seconds
    revocation_lag_seconds: _Seconds
    outage_grace_seconds: _Seconds
    store_timeout_seconds: _Seconds


_PATHS = ("token_path", "revocation_path", "introspection_path", "jwks_path")
_NAMES = ("issuer", "public_url", "audience", "metadata")
RENAMED = {"odd_paths": "ambiguous_paths"}
OPTIONS: dict[str, Field[Any]] = {each.name: each for each in fields(Settings)}


def configure(options: Mapping[str, object]) -> Settings:
    """Convert and check ``options``, or raise ``ConfigError`` with every fault. ``None`` stands for the default."""
    faults = Faults()
    settings = read_options(options, faults)
    faults.raise_all()
    return settings


def read_options(options: Mapping[str, object], faults: Faults) -> Settings:
    """Do the same, but add the faults to ``faults``. No option with a fault is checked further, or reported twice."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        with faults:
            _check_name(name)
            if value is not None:
                try:
                    values[name] = OPTIONS[name].metadata["convert"](value)
                except ValueError as error:
                    raise error if isinstance(error, ConfigError) else ConfigError(name, str(error)) from None
    if "store" not in values and faults.none_for("store"):
        faults.add("store", f"is missing: {STORE_URLS}")
    settings = Settings(**{"store": "", **_switched_off(faults), **values})
    settings = replace(settings, public_url=settings.public_url or settings.issuer)
    _check_conflicts(settings, faults)
    return settings


def _check_name(name: str) -> None:
    if name in RENAMED:
        raise ConfigError(name, f"is called {RENAMED[name]} now")
    if name not in OPTIONS:
        near = get_close_matches(name, OPTIONS, 1, 0.5)
        raise ConfigError(name, "unknown option" + (f", did you mean {near[0]}?" if near else ""))


def _switched_off(faults: Faults) -> dict[str, object]:
    """Values that turn faulty options off, so that paths are compared without them."""
    off: dict[str, object] = {name: None for name in _PATHS if not faults.none_for(name)}
    return off if faults.none_for(*_NAMES) else {**off, "metadata": False}


def own_paths(settings: Settings) -> dict[str, str]:
    """The paths that the middleware answers itself, by option. ``metadata`` has a second one, ``resource_metadata``.

    A document is served only if all of it is true: without a token endpoint there is no authorization server.
    """
    paths = {name: getattr(settings, name) for name in _PATHS if settings.issuer or name != "jwks_path"}
    if settings.issuer and settings.metadata and settings.token_path is not None:
        paths["metadata"] = server_metadata_path(settings.issuer)
    resource = documented_resource(settings)
    if resource is not None:
        paths["resource_metadata"] = resource_metadata_path(resource)
    return {name: path for name, path in paths.items() if path is not None}


def documented_resource(settings: Settings) -> str | None:
    """The identifier of this resource server that has a document (RFC 9728 §1.2): the first that is a URL."""
    if not (settings.issuer and settings.metadata):
        return None
    return next(filter(is_url, settings.names), None)


def _check_conflicts(settings: Settings, faults: Faults) -> None:
    """Check options against each other, except where one of them has a fault already."""
    if settings.issuer and faults.none_for("issuer") and find_spec("joserfc") is None:
        faults.add("issuer", "needs joserfc: pip install 'oauth_mw[jwt]'")
    needs_issuer = {
        "token_format = jwt": settings.token_format == "jwt",
        "signing_key_lifetime": settings.signing_key_lifetime is not None,
        "signing_key_files": bool(settings.signing_key_files),
    }
    needed_by = next((name for name, is_set in needs_issuer.items() if is_set), None)
    if needed_by and not settings.issuer and faults.none_for("issuer", "token_format"):
        faults.add("issuer", f"is missing: {needed_by} needs it")
    if settings.signing_key_files and settings.signing_key_lifetime is not None:
        faults.add("signing_key_lifetime", "applies to keys in the store only: signing_key_files are not rotated")
    taken: dict[str, str] = {}
    for name, path in own_paths(settings).items():
        if path in taken:
            faults.add(name if name in OPTIONS else "metadata", f"{path} is taken by {taken[path]}")
        else:
            taken[path] = name
    if faults.none_for("required_scopes", "public_paths", "ambiguous_paths"):
        with faults:
            settings.path_rules  # noqa: B018  # the property compiles them, once
