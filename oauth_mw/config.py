"""The options: one table of name, default, converter and help, for keyword arguments, ini strings and flags alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from . import converters as to
from .addresses import FORWARDED_FOR
from .auditor import OnEvent
from .cherrypy import REFUSE_CHERRYPY, CherryPyRules
from .errors import AUTHORIZATION, DEFAULT_REALM, ConfigError, Faults
from .hooks import OnIssue, OnLifetime
from .limits import OFF
from .model import CLIENT_AUTH_METHODS, MAX_LIFETIME
from .on_refusal import Hook
from .protocols import Store
from .rates import Rate
from .rules import REST, Pattern, Rule, Rules
from .server import environ_key
from .urls import is_url, openid_metadata_path, resource_metadata_path, server_metadata_path

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
    token_path: tuple[str, ...] = option(
        ("/oauth/token",),
        to.own_paths,
        "Path of the token endpoint, or several, of which documents name the first; or off",
    )
    revocation_path: str | None = option("/oauth/revoke", to.own_path, "Path of the revocation endpoint, or off")
    introspection_path: str | None = option(
        "/oauth/introspect", to.own_path, "Path of the introspection endpoint, or off"
    )
    jwks_path: str | None = option(
        "/oauth/jwks", to.own_path, "With issuer: path of the keys that verify our JWTs (RFC 7517), or off"
    )
    metadata: tuple[str, ...] = option(
        (to.OAUTH,),
        to.metadata,
        "With issuer: serve the well-known documents (RFC 8414, RFC 9728), or off; oauth, openid also serves the first "
        "at issuer + /.well-known/openid-configuration, for clients that read it there, although this is no OpenID "
        "provider",
    )
    scopes_supported: bool = option(
        False,
        to.boolean,
        "With issuer: list the scopes of required_scopes in the well-known documents, which need no token",
    )
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
    compatibility: str = option(
        "off",
        to.one_of("off", "apigee"),
        "apigee adds the members of Apigee to token answers and refusals, for clients that cannot be changed; or off",
    )
    audience_parameter: bool = option(
        False,
        to.boolean,
        "At the token endpoint, take the parameter audience as resource; if both are sent, both must be equal",
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
    trusted_proxies: tuple[str, ...] = option(
        (),
        to.proxies,
        "Networks of the proxies from which forwarded_header is accepted, and unix for a proxy on a Unix socket",
    )
    forwarded_header: str = option(
        FORWARDED_FOR,
        to.forwarded_header,
        "With trusted_proxies: header to which each proxy adds the address that it was called from; or Forwarded",
    )
    throttle: tuple[str, ...] = option(
        to.THROTTLE,
        to.throttle,
        "Wrong client credentials that each worker answers 401, as AMOUNT/minute (also second, hour, day): first for a"
        " client id from one address, then for an address in all; further ones are answered 429; or off",
    )
    rate_limit: Rate | None = option(
        None,
        to.rate,
        "Requests that each client may send, such as 100/minute, or off; for clients without a limit of their own; "
        "counted by each worker, and with Redis by all together",
    )
    preflight: bool = option(False, to.boolean, "Pass CORS preflights to the app's views without a token")
    cors_origins: tuple[str, ...] = option(
        (), to.origins, "Origins whose pages may read refusals and own paths, and to whose preflights we answer; or *"
    )
    cors_headers: tuple[str, ...] = option(
        ("Content-Type",), to.header_names, "With cors_origins: request headers that pages may send, or *"
    )
    cors_max_age_seconds: int = option(
        600, to.integer(0, 86_400), "With cors_origins: seconds for which browsers may use the answer to a preflight"
    )
    on_refusal: str | Hook | None = option(
        None, to.reference, "Function module:name that gives refusals of the guard another body"
    )
    on_event: str | OnEvent | None = option(
        None, to.reference, "Function module:name that gets each event of the audit trail, in a thread of its own"
    )
    audit_accepted: bool = option(
        False,
        to.boolean,
        "With an audit trail: an event for each accepted request, too, which costs more than its check",
    )
    request_id_key: str | None = option(
        None,
        to.environ_key,
        "With an audit trail: environ key of the id of a request, such as HTTP_X_REQUEST_ID or UNIQUE_ID",
    )
    on_issue: str | OnIssue | None = option(
        None, to.reference, "Function module:name that returns further attributes for each token"
    )
    on_issue_public: tuple[str, ...] = option(
        (),
        to.attribute_names,
        "With on_issue: its attributes that are public, by name: also in the answer, in JWTs and in introspection",
    )
    on_lifetime: str | OnLifetime | None = option(
        None, to.reference, "Function module:name that returns the seconds for which each token is valid"
    )
    delay_auth_decision: bool = option(
        False,
        to.boolean,
        "Where no rule names the path, pass requests without a valid token to the app, with oauth_mw.error set",
    )
    remote_user: bool = option(False, to.boolean, "Also set REMOTE_USER to the client id and AUTH_TYPE to Bearer")
    authorization_header: str = option(
        AUTHORIZATION,
        to.authorization_header,
        "Header that carries tokens and client credentials: Authorization, or a name that begins with X-, "
        "for an API behind a proxy that reads Authorization itself",
    )
    strip_authorization: bool = option(False, to.boolean, "Remove the header with the token from accepted requests")
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
    health_path: str | None = option(
        None, to.own_path, "Path below which /live and /ready answer health checks, without a token; unset: off"
    )
    metrics_path: str | None = option(
        None,
        to.own_path,
        "Path of metrics for Prometheus, which lies behind the guard: a rule or public path must name it; "
        "needs oauth_mw[metrics]; unset: off",
    )
    metrics_client_ids: bool = option(
        False, to.boolean, "With metrics_path: count accepted requests, tokens issued and refusals by client id, too"
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


_NAMES = ("issuer", "public_url", "audience", "metadata")
RENAMED = {"odd_paths": "ambiguous_paths"}
OPTIONS: dict[str, Field[Any]] = {each.name: each for each in fields(Settings)}
_PATHS = [name for name in OPTIONS if name.endswith("_path")]
# The guard checks requests for metrics_path as those of the app, and nothing is at health_path itself.
_SINGLE = [name for name in _PATHS if name not in ("token_path", "metrics_path", "health_path")]
HEALTH = {"liveness": "/live", "readiness": "/ready"}


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
        near = [each for each in OPTIONS if each.endswith(f"_{name}")] or get_close_matches(name, OPTIONS, 1, 0.5)
        raise ConfigError(name, "unknown option" + (f", did you mean {near[0]}?" if near else ""))


def _switched_off(faults: Faults) -> dict[str, object]:
    """Values that turn faulty options off, so that paths are compared without them."""
    off = {name: OPTIONS[name].metadata["convert"](OFF) for name in _PATHS if not faults.none_for(name)}
    return off if faults.none_for(*_NAMES) else {**off, "metadata": ()}


def own_paths(settings: Settings) -> list[tuple[str, str]]:
    """The paths that the middleware answers itself, each behind the name of its option.

    ``metadata`` has up to two more, ``openid_metadata`` and ``resource_metadata``; those of ``health_path`` are
    ``liveness`` and ``readiness``.

    A document is served only if all that it says is true: without a token endpoint there is no authorization server.
    """
    paths = {name: getattr(settings, name) for name in _SINGLE if settings.issuer or name != "jwks_path"}
    if settings.issuer and settings.metadata and settings.token_path:
        paths["metadata"] = server_metadata_path(settings.issuer)
        if to.OPENID in settings.metadata:
            paths["openid_metadata"] = openid_metadata_path(settings.issuer, settings.public_url)
    resource = documented_resource(settings)
    if resource is not None:
        paths["resource_metadata"] = resource_metadata_path(resource)
    if settings.health_path is not None:
        paths |= {name: settings.health_path.rstrip("/") + end for name, end in HEALTH.items()}
    token_paths = [("token_path", path) for path in settings.token_path]
    return [*token_paths, *((name, path) for name, path in paths.items() if path is not None)]


def first_paths(settings: Settings) -> dict[str, str]:
    """The own paths by option, of several the first: the one that documents and commands name."""
    return dict(reversed(own_paths(settings)))


def slashed_paths(settings: Settings) -> frozenset[str]:
    """The own paths with a slash at the end, except where a rule or public path, other than ``/*``, names one below."""
    named = {*settings.public_paths, *(rule.pattern for rule in settings.required_scopes)} - {REST}
    paths = [path for _, path in own_paths(settings) if path[-1] != "/"]
    return frozenset(f"{path}/" for path in paths if not any(each.names_below(path) for each in named))


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
    if settings.request_id_key == environ_key(settings.authorization_header):
        faults.add("request_id_key", "is the key of authorization_header, which holds tokens")
    taken: dict[str, str] = {}
    for name, path in own_paths(settings):
        if path in taken:
            option = name if name in OPTIONS else "health_path" if name in HEALTH else "metadata"
            faults.add(option, f"{path} is taken by {taken[path]}")
        else:
            taken[path] = name
    if faults.none_for("required_scopes", "public_paths", "ambiguous_paths"):
        with faults:
            settings.path_rules  # noqa: B018  # the property compiles them, once
