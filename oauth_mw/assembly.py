"""Put the parts together: the only place that knows them all, and the wiring diagram of the product."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .challenge_app import ChallengingApp
from .cherrypy import REFUSE, CherryPyGuard, Judge
from .client_auth import ClientAuthentication
from .config import Settings, own_paths, read_options
from .deadlines import RequestDeadline
from .discovery import challenge as challenge_of
from .discovery import documents
from .endpoints import Endpoint
from .endpoints.introspection import IntrospectionEndpoint
from .endpoints.revocation import RevocationEndpoint
from .endpoints.token import TokenEndpoint
from .errors import EMPTY, Faults, OAuthError, StoreMissing, StoreUnavailable
from .events import Refusals, Sink, StoreFailed, log_sink, tell
from .guard import Guard
from .keys.sources import judge_keys, signing_keys
from .model import AccessToken, Clock
from .protocols import Store
from .stores import open_store
from .stores.sql.sqlite.files import check_folder
from .tokens.cache import VerifiedTokens
from .tokens.denylist import Ends
from .tokens.formats import Formats
from .tokens.opaque import OpaqueTokens
from .tokens.revocation import revoke_log_only
from .tokens.sharing import Sharing
from .webob import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .tokens.jwt import Keys

SQLITE = "sqlite:///"

Read = Callable[[str], AccessToken | None]


@dataclass(frozen=True)
class Parts:
    """What the facade routes between."""

    endpoints: Mapping[str, WSGIApplication]
    guard: Judge
    app: WSGIApplication
    refused: Callable[[OAuthError], None]


def build(app: WSGIApplication, options: Mapping[str, object], clock: Clock = time.time) -> Parts:
    """
    :raises ConfigError: naming the option that cannot work.
    """
    settings = judge(options, Faults())
    emit = tell((log_sink,))
    store = _open(settings, clock, emit)
    keys = signing_keys(settings, store, clock) if settings.issuer else None
    ends = Ends(clock)
    challenge = challenge_of(settings)
    tokens = _formats(settings, store, keys, ends, clock, challenge)
    told_by_rows = keys is None and store.marks_tokens
    verified = VerifiedTokens(
        tokens.accepted,
        store,
        size=settings.cache_size,
        lag=settings.revocation_lag_seconds,
        grace=settings.outage_grace_seconds,
        timeout=settings.store_timeout_seconds,
        monotonic=time.monotonic,
        ends=None if told_by_rows else ends,
        forget=keys.forget if keys else _nothing,
    )
    guard = _guard(settings, store, verified, clock, challenge)
    read = tokens.read if told_by_rows else _fresh(verified, tokens.read)
    endpoints = {
        **_endpoints(settings, store, tokens, read, clock, emit),
        **documents(settings, keys.public if keys else None),
    }
    own, check = own_paths(settings), _one_process if store.single_process else None
    return Parts(
        {path: _as_app(endpoints[name], check, settings.store_timeout_seconds) for name, path in own.items()},
        guard,
        ChallengingApp(app, challenge) if settings.delay_auth_decision else app,
        Refusals(emit, time.monotonic),
    )


def judge(options: Mapping[str, object], faults: Faults) -> Settings:
    """The settings, once all was judged that can be without making a store.

    :param faults: those found before.
    :raises ConfigError: with every fault.
    """
    settings = read_options(options, faults)
    if faults.spare("signing_key_files", "key_encryption_secret"):
        with faults:
            judge_keys(settings)
    if faults and faults.spare("store", "store_timeout_seconds"):
        with faults:
            _judge_store(settings)
    faults.raise_all()
    return settings


def _judge_store(settings: Settings) -> None:
    """
    :raises ConfigError: no store can be opened or made there.
    """
    if isinstance(settings.store, str):
        try:
            open_store(settings.store, timeout=settings.store_timeout_seconds).close()
        except StoreUnavailable:
            pass  # no reason not to start
        except StoreMissing:
            if settings.store.startswith(SQLITE):
                check_folder(os.path.dirname(os.path.abspath(settings.store.removeprefix(SQLITE))))


def _open(settings: Settings, clock: Clock, emit: Sink) -> Store:
    """The store, made when it is missing. One that does not answer yet is no reason not to start."""
    if not isinstance(settings.store, str):
        return settings.store

    def unavailable(error: StoreUnavailable) -> None:
        emit(StoreFailed("", error.reason))

    timeout = settings.store_timeout_seconds
    return open_store(settings.store, create=True, timeout=timeout, clock=clock, unavailable=unavailable)


def _formats(settings: Settings, store: Store, keys: Keys | None, ends: Ends, clock: Clock, challenge: str) -> Formats:
    leeway, has_ended = settings.leeway_seconds, ends.has_ended
    sharing = Sharing(settings.cache_size)
    opaque = OpaqueTokens(
        store, clock, settings.token_prefix, challenge, has_ended=has_ended, leeway=leeway, sharing=sharing
    )
    jwt = None
    if keys is not None:
        from .tokens.jwt import JWTTokens

        jwt = JWTTokens(
            keys,
            clock,
            issuer=settings.issuer,
            has_ended=has_ended,
            end=partial(revoke_log_only, store),
            leeway=leeway,
            challenge=challenge,
            sharing=sharing,
        )
    return Formats(opaque, jwt, settings.token_format, settings.names, implied=not settings.audience)


def _guard(settings: Settings, store: Store, verified: VerifiedTokens, clock: Clock, challenge: str) -> Judge:
    rules = settings.path_rules
    make = partial(
        SingleProcessGuard if store.single_process else Guard,
        tokens=verified,
        clock=_late(clock, settings.leeway_seconds),
        challenge=challenge,
        delay=settings.delay_auth_decision,
        remote_user=settings.remote_user,
        strip_authorization=settings.strip_authorization,
        preflight=settings.preflight,
        trust_vhm_root=settings.trust_vhm_root,
    )
    if settings.ambiguous_paths != REFUSE:
        return make(rules.decide)
    return CherryPyGuard(make(rules.decide), make(lambda method, path: rules.ambiguous))


def _late(clock: Clock, leeway: float) -> Clock:
    return (lambda: clock() - leeway) if leeway else clock


def _nothing() -> None:
    """No key was ever believed."""


def _fresh(verified: VerifiedTokens, read: Read) -> Read:
    """Read once it is known what ended until now."""

    def fresh(text: str) -> AccessToken | None:
        verified.refresh()
        return read(text)

    return fresh


def _endpoints(
    settings: Settings, store: Store, tokens: Formats, read: Read, clock: Clock, emit: Sink
) -> dict[str, Endpoint]:
    """The endpoints that clients authenticate to, by the option of their path."""
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
        "revocation_path": RevocationEndpoint(authenticate, tokens.known, tokens.revoke, emit),
        "introspection_path": IntrospectionEndpoint(authenticate, read, settings.names),
    }


def _as_app(endpoint: Endpoint, check: Judge | None, timeout: float) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if check:
            check(environ)
        with RequestDeadline(timeout):
            response = endpoint(Request(environ))
        body = response(environ, start_response)
        return EMPTY if environ["REQUEST_METHOD"] == "HEAD" else body

    return app


def _one_process(environ: WSGIEnvironment) -> None:
    """Workers that keep their tokens to themselves would not know each other's."""
    if environ.get("wsgi.multiprocess"):
        raise StoreUnavailable("memory:// cannot serve several processes: use sqlite:///file")


class SingleProcessGuard(Guard):
    """A guard that refuses to work in one of several processes."""

    def __call__(self, environ: WSGIEnvironment) -> None:
        _one_process(environ)
        super().__call__(environ)
