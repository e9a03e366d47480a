"""The composition root: builds all parts from the settings and connects them. No other module imports them all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .cherrypy import REFUSE_CHERRYPY, CherryPyGuard, Judge
from .client_auth import ClientAuthentication
from .config import Settings, own_paths, read_options
from .deadlines import RequestDeadline
from .endpoints import Endpoint
from .endpoints.documents import challenge as challenge_of
from .endpoints.documents import documents
from .endpoints.introspection import IntrospectionEndpoint
from .endpoints.revocation import RevocationEndpoint
from .endpoints.token import TokenEndpoint
from .errors import EMPTY_BODY, Faults, OAuthError, StoreMissing, StoreUnavailable
from .events import Refusals, Sink, StoreFailed, combine, log_sink
from .guard import ChallengingApp, Guard
from .keys import file_keys, signing_keys
from .model import AccessToken, Clock
from .protocols import Store
from .stores import open_store
from .stores.sql.sqlite.files import check_folder
from .tokens.cache import TokenCache
from .tokens.denylist import Denylist
from .tokens.formats import Formats
from .tokens.opaque import OpaqueTokens
from .tokens.revocation import revoke_log_only
from .tokens.sharing import Sharing
from .webob import Request

if TYPE_CHECKING:
    from .tokens.jwt import Keys

SQLITE = "sqlite:///"

Read = Callable[[str], AccessToken | None]


@dataclass(frozen=True)
class Parts:
    """The parts that the facade calls."""

    endpoints: Mapping[str, WSGIApplication]
    guard: Guard | CherryPyGuard
    app: WSGIApplication
    refused: Callable[[OAuthError], None]


def build(app: WSGIApplication, options: Mapping[str, object], clock: Clock = time.time) -> Parts:
    """Build the middleware's parts in front of ``app``.

    :param clock: Unix seconds.
    :raises ConfigError: an option cannot work; the error names each one.
    """
    settings = judge(options, Faults())
    emit = combine((log_sink,))
    store = _open(settings, clock, emit)
    keys = signing_keys(settings, store, clock) if settings.issuer else None
    denylist = Denylist(clock)
    challenge = challenge_of(settings)
    tokens = _formats(settings, store, keys, denylist, clock, challenge)
    rows_tell_revocation = keys is None and store.rows_tell_revocation
    cache = TokenCache(
        tokens.accepted,
        store,
        size=settings.cache_size,
        lag=settings.revocation_lag_seconds,
        grace=settings.outage_grace_seconds,
        timeout=settings.store_timeout_seconds,
        monotonic=time.monotonic,
        denylist=None if rows_tell_revocation else denylist,
        forget=keys.forget if keys else lambda: None,
    )
    guard = _guard(settings, store, cache, clock, challenge)
    read = tokens.read if rows_tell_revocation else _refreshing(cache, partial(tokens.read, anew=True))
    endpoints = {
        **_endpoints(settings, store, tokens, read, clock, emit),
        **documents(settings, keys.public if keys else None),
    }
    check = _require_single_process if store.single_process else None
    timeout = settings.store_timeout_seconds
    return Parts(
        {path: _as_app(endpoints[name], check, timeout) for name, path in own_paths(settings).items()},
        guard,
        ChallengingApp(app, challenge) if settings.delay_auth_decision else app,
        Refusals(emit, time.monotonic),
    )


def judge(options: Mapping[str, object], faults: Faults) -> Settings:
    """Convert and check the options, without creating a store. Raise ``ConfigError`` with all ``faults``."""
    settings = read_options(options, faults)
    if faults.none_for("signing_key_files", "key_encryption_secret"):
        with faults:
            file_keys(settings)
    if faults and faults.none_for("store", "store_timeout_seconds"):
        with faults:
            _judge_store(settings)
    faults.raise_all()
    return settings


def _judge_store(settings: Settings) -> None:
    """Raise ``ConfigError`` if no store can be opened or created at the URL."""
    if isinstance(settings.store, str):
        try:
            open_store(settings.store, timeout=settings.store_timeout_seconds).close()
        except StoreUnavailable:
            pass  # an outage does not prevent a start
        except StoreMissing:
            if settings.store.startswith(SQLITE):
                check_folder(os.path.dirname(os.path.abspath(settings.store.removeprefix(SQLITE))))


def _open(settings: Settings, clock: Clock, emit: Sink) -> Store:
    """Open the store, or create it. If it is unavailable, emit a warning: an outage does not prevent a start."""
    if not isinstance(settings.store, str):
        return settings.store
    return open_store(
        settings.store,
        create=True,
        timeout=settings.store_timeout_seconds,
        clock=clock,
        unavailable=lambda error: emit(StoreFailed("", error.reason)),
    )


def _formats(
    settings: Settings, store: Store, keys: Keys | None, denylist: Denylist, clock: Clock, challenge: str
) -> Formats:
    leeway, is_revoked = settings.leeway_seconds, denylist.is_revoked
    sharing = Sharing(settings.cache_size)
    opaque = OpaqueTokens(
        store, clock, settings.token_prefix, challenge, is_revoked=is_revoked, leeway=leeway, sharing=sharing
    )
    jwt = None
    if keys is not None:
        from .tokens.jwt import JWTTokens

        jwt = JWTTokens(
            keys,
            clock,
            issuer=settings.issuer,
            is_revoked=is_revoked,
            end=partial(revoke_log_only, store),
            leeway=leeway,
            challenge=challenge,
            sharing=sharing,
        )
    return Formats(opaque, jwt, settings.token_format, settings.names, implied=not settings.audience)


def _guard(settings: Settings, store: Store, cache: TokenCache, clock: Clock, challenge: str) -> Guard | CherryPyGuard:
    rules = settings.path_rules
    make = partial(
        SingleProcessGuard if store.single_process else Guard,
        tokens=cache,
        clock=(lambda: clock() - settings.leeway_seconds) if settings.leeway_seconds else clock,
        challenge=challenge,
        delay=settings.delay_auth_decision,
        remote_user=settings.remote_user,
        strip_authorization=settings.strip_authorization,
        preflight=settings.preflight,
        trust_vhm_root=settings.trust_vhm_root,
    )
    if settings.ambiguous_paths != REFUSE_CHERRYPY:
        return make(rules.decide)
    return CherryPyGuard(make(rules.decide), make(lambda method, path: rules.ambiguous))


def _refreshing(cache: TokenCache, read: Read) -> Read:
    def refreshed(text: str) -> AccessToken | None:
        cache.refresh()
        return read(text)

    return refreshed


def _endpoints(
    settings: Settings, store: Store, tokens: Formats, read: Read, clock: Clock, emit: Sink
) -> dict[str, Endpoint]:
    """The endpoints at which clients authenticate, by the option that names their path."""
    authenticate = ClientAuthentication(store, settings.client_auth_methods, settings.realm, clock)
    return {
        "token_path": TokenEndpoint(
            authenticate,
            tokens.issue,
            lifetime=settings.access_token_lifetime,
            default_scope=settings.default_scope,
            narrow=settings.scope_policy == "narrow",
            audience=settings.names,
            grant_type_in=settings.grant_type_in,
            emit=emit,
        ),
        "revocation_path": RevocationEndpoint(authenticate, tokens.find, tokens.revoke, tokens.revoke_unknown, emit),
        "introspection_path": IntrospectionEndpoint(authenticate, read, settings.names),
    }


def _as_app(endpoint: Endpoint, check: Judge | None, timeout: float) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if check:
            check(environ)
        with RequestDeadline(timeout):
            response = endpoint(Request(environ))
        body = response(environ, start_response)
        return EMPTY_BODY if environ["REQUEST_METHOD"] == "HEAD" else body

    return app


def _require_single_process(environ: WSGIEnvironment) -> None:
    """Raise ``StoreUnavailable`` if there are several worker processes, each with a ``memory://`` store of its own."""
    if environ.get("wsgi.multiprocess"):
        raise StoreUnavailable("memory:// cannot serve several processes: use sqlite:///file")


class SingleProcessGuard(Guard):
    def __call__(self, environ: WSGIEnvironment) -> None:
        _require_single_process(environ)
        super().__call__(environ)
