"""The composition root: builds all parts from the settings and connects them. No other module imports them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2s, sha256
from typing import TYPE_CHECKING, cast
from wsgiref.types import WSGIApplication, WSGIEnvironment

from .addresses import Addresses
from .answering import as_app
from .auditor import Auditor, Notation, load_on_event
from .cherrypy import REFUSE_CHERRYPY, CherryPyGuard, is_doubtful
from .client_auth import Authenticate, ClientAuthentication
from .client_names import ClientNames
from .compatibility import APIGEE, apigee_bodies, apigee_members
from .config import Settings, own_paths, slashed_paths
from .cors import Cors
from .endpoints import Endpoint
from .endpoints.documents import challenge_of, documents
from .endpoints.health import health_checks
from .endpoints.introspection import IntrospectionEndpoint
from .endpoints.revocation import RevocationEndpoint
from .endpoints.token import TokenEndpoint
from .errors import Faults, MethodNotAllowed, ReadOnly
from .events import KeyMade, Refusals, Sink, combine, log_sink, logs_requests
from .guard import ChallengingApp, Guard, adapting, in_one_process
from .hooks import Hooks, load_hooks
from .http import Form, parse_form, read_form
from .keys import signing_keys
from .last_use import LastUses
from .metrics import CheckRequest, Issue, Read, meter
from .model import AccessToken, Check, Clock
from .on_refusal import Render, load_hook
from .outages import Outages
from .protocols import Store
from .quotas import Quotas
from .rate_limits import RateLimits
from .rates import parse_rate
from .refusing import plain, refusing, with_hint
from .rules import Access
from .server import Refuse, Server
from .startup import check_options
from .stores import is_redis, open_store
from .terms import ClientTerms, LimitedTokens, ReadAs, capped, check_listed
from .throttle import Throttle
from .tokens.cache import TokenCache
from .tokens.denylist import Denylist
from .tokens.formats import Formats
from .tokens.opaque import OpaqueTokens
from .tokens.revoking import revoke_log_only
from .tokens.sharing import Sharing
from .weak_secrets import WeakSecrets
from .webob import Request

if TYPE_CHECKING:
    from .keys.files import FileKeys
    from .keys.ring import KeyRing
    from .tokens.jwt import Keys


@dataclass(frozen=True)
class Parts:
    """The parts that the facade calls, and what :mod:`oauth_mw.testing` makes such parts from."""

    endpoints: Mapping[str, WSGIApplication]
    decide: Callable[[str, str], Access]
    check: Callable[[WSGIEnvironment, Access], None]
    app: WSGIApplication
    refuse: Refuse
    settings: Settings
    token_endpoint: TokenEndpoint
    auditor: Auditor


def build(app: WSGIApplication, options: Mapping[str, object], clock: Clock = time.time) -> Parts:
    """Build the middleware's parts in front of ``app``.

    :param clock: Unix seconds.
    :raises ConfigError: the app or an option cannot work; the error names each one.
    """
    return assemble(app, check_options(options, Faults(), app), clock)


def assemble(app: WSGIApplication, settings: Settings, clock: Clock) -> Parts:
    """Build the parts from settings that are checked already."""
    counted = meter(settings, clock)
    sinks: list[Sink] = [log_sink, *counted.sinks]
    emit = combine(sinks)
    outages = Outages(emit, time.monotonic)
    store = counted.store(_open(settings, clock, outages))
    addresses = Addresses(settings.trusted_proxies, settings.forwarded_header)
    refusals, auditor = _reporting(settings, store, addresses, emit, clock)
    sinks.append(auditor)
    cors = _cors(settings)
    refuse = counted.refuse(refusing(refusals, outages, load_hook(settings.on_refusal), render=_rendering(settings)))
    keys = signing_keys(settings, store, clock, lambda kid: emit(KeyMade(kid), {})) if settings.issuer else None
    denylist = Denylist(clock)
    refuse = cors.of_refusals(refuse) if cors else refuse
    server = Server(challenge_of(settings), refuse, settings.authorization_header)
    tokens = _formats(settings, store, keys, denylist, clock, server, Quotas(store, clock, emit))
    rows_show_all = keys is None and store.rows_show_all
    limited = _limited(settings, store, counted.read(tokens.accepted), addresses, server, auditor, clock, counted.last)
    cache = _cache(counted.cache, settings, store, limited, keys, None if rows_show_all else denylist, outages.polled)
    check = _check(counted.guard, settings, store, cache, clock, server)
    read = capped(tokens.read if rows_show_all else _refreshing(cache, tokens), store, clock)
    uses = LastUses(store.note_uses, clock, at_once=store.single_process)
    weak = WeakSecrets(store.clients, addresses, emit) if settings.throttle and not settings.trusted_proxies else None
    authenticate = _authentication(settings, store, clock, emit, addresses, uses, weak)
    hooks = load_hooks(settings.on_issue, settings.on_lifetime, settings.on_issue_public, refusals.report)
    issue = counted.issue(tokens.issue)
    authenticated = _endpoints(settings, authenticate, tokens, issue, read, clock, emit, refusals.wanted, hooks)
    refuse_at_endpoint = counted.refuse(refusing(refusals, outages, at_endpoint=True, render=_rendering(settings)))
    answer = partial(as_app, refuse_at_endpoint, uses.after, store.single_process, settings.store_timeout_seconds)
    check = cors.passing_preflights(check) if cors else check
    refuse_check = counted.refuse_check(with_hint(server.refuse, slashed_paths(settings)))
    health = health_checks(cache, time.monotonic, refuse_at_endpoint, single_process=store.single_process)
    described = documents(settings, keys.public if keys else None)
    own = _own_apps(settings, authenticated, described, health, answer, outages, cors, weak)
    return Parts(
        {**own, **counted.apps(check, refuse_check, server.refuse, cache, keys.times if keys else None)},
        settings.path_rules.decide,
        check,
        _front(app, settings, server, cors),
        refuse_check,
        settings,
        cast(TokenEndpoint, authenticated["token_path"]),
        auditor,
    )


def _front(app: WSGIApplication, settings: Settings, server: Server, cors: Cors | None) -> WSGIApplication:
    """The app, behind what may answer after the guard."""
    app = ChallengingApp(app, server) if settings.delay_auth_decision else app
    return cors.before(app, settings.path_rules.decide, settings.required_scopes) if cors else app


def _open(settings: Settings, clock: Clock, outages: Outages) -> Store:
    """Open the store, or create it. If it is unavailable, emit a warning: an outage does not prevent a start."""
    if not isinstance(settings.store, str):
        return settings.store
    return open_store(
        settings.store,
        create=True,
        timeout=settings.store_timeout_seconds,
        clock=clock,
        unavailable=lambda error: outages.failed(error.reason),
    )


def _formats(
    settings: Settings,
    store: Store,
    keys: Keys | None,
    denylist: Denylist,
    clock: Clock,
    server: Server,
    quotas: Quotas,
) -> Formats:
    leeway, sharing = settings.leeway_seconds, Sharing(settings.cache_size)
    opaque = OpaqueTokens(
        store,
        clock,
        settings.token_prefix,
        server=server,
        is_revoked=None if store.rows_show_all else denylist.is_revoked,
        leeway=leeway,
        sharing=sharing,
        quotas=quotas,
    )
    jwt = None
    if keys is not None:
        from .tokens.jwt import JWTTokens

        jwt = JWTTokens(
            keys,
            clock,
            issuer=settings.issuer,
            is_revoked=denylist.is_revoked,
            revoke_log_only=partial(revoke_log_only, store),
            leeway=leeway,
            server=server,
            sharing=sharing,
        )
    return Formats(opaque, jwt, settings.token_format, settings.names, implied=not settings.audience, quotas=quotas)


def _limited(
    settings: Settings,
    store: Store,
    read: Read,
    addresses: Addresses,
    server: Server,
    auditor: Auditor,
    clock: Clock,
    counted: tuple[Check, ...],
) -> LimitedTokens:
    """What reads tokens, with the terms of their clients, and with what all accepted requests ask for."""
    audit = (auditor.accepted,) if settings.audit_accepted else ()
    adapt = adapting(server.header, remote_user=settings.remote_user, strip_authorization=settings.strip_authorization)
    count = store.count if is_redis(store.url) else None
    terms = ClientTerms(
        server,
        addresses,
        RateLimits(clock, count, timeout=settings.store_timeout_seconds),
        default=settings.rate_limit,
        doubtful=is_doubtful if settings.ambiguous_paths == REFUSE_CHERRYPY else lambda environ: False,
        last=(*counted, *audit, *adapt),
    )
    return LimitedTokens(read, store, terms, size=settings.cache_size, timeout=settings.store_timeout_seconds)


def _cache(
    make: Callable[..., TokenCache],
    settings: Settings,
    store: Store,
    limited: LimitedTokens,
    keys: KeyRing | FileKeys | None,
    denylist: Denylist | None,
    polled: Callable[[str], None],
) -> TokenCache:
    def forget() -> None:
        limited.forget()
        if keys:
            keys.forget()

    return make(
        limited.read,
        store,
        size=settings.cache_size,
        lag=settings.revocation_lag_seconds,
        grace=settings.outage_grace_seconds,
        timeout=settings.store_timeout_seconds,
        monotonic=time.monotonic,
        denylist=denylist,
        hasher=sha256 if keys else blake2s,
        forget=forget,
        forget_client=limited.forget,
        polled=polled,
    )


def _reporting(
    settings: Settings, store: Store, addresses: Addresses, emit: Sink, clock: Clock
) -> tuple[Refusals, Auditor]:
    """What emits an event for each refused request, and what passes events on to the audit trail."""
    names = ClientNames(store, time.monotonic)
    own = {path for _, path in own_paths(settings)}
    notation = Notation(settings.path_rules, settings.required_scopes)
    refusals = Refusals(emit, time.monotonic, lambda: logs_requests() or auditor.is_wanted(), names)
    auditor = Auditor(
        on_event=load_on_event(settings.on_event),
        report=refusals.report,
        address_of=addresses,
        rule_of=lambda method, path: "" if path in own else notation(method, path),
        clients=names,
        clock=clock,
        request_id_key=settings.request_id_key,
        token_paths=settings.token_path,
    )
    return refusals, auditor


def _cors(settings: Settings) -> Cors | None:
    if not settings.cors_origins:
        return None
    header = settings.authorization_header
    return Cors(settings.cors_origins, header, settings.cors_headers, settings.cors_max_age_seconds)


def _rendering(settings: Settings) -> Render:
    if settings.compatibility != APIGEE:
        return plain
    others = {path for name, path in own_paths(settings) if name != "token_path"}
    return apigee_bodies(settings.token_path, others)


def _check(
    make: Callable[..., Guard], settings: Settings, store: Store, cache: TokenCache, clock: Clock, server: Server
) -> CheckRequest:
    guard = make(
        tokens=cache,
        clock=(lambda: clock() - settings.leeway_seconds) if settings.leeway_seconds else clock,
        server=server,
        delay=settings.delay_auth_decision,
        remote_user=settings.remote_user,
        preflight=settings.preflight or bool(settings.cors_origins),
        trust_vhm_root=settings.trust_vhm_root,
    )
    cherrypy = settings.ambiguous_paths == REFUSE_CHERRYPY
    check = CherryPyGuard(guard.check, settings.path_rules.ambiguous).check if cherrypy else guard.check
    return in_one_process(check) if store.single_process else check


def _refreshing(cache: TokenCache, tokens: Formats) -> Read:
    def refreshed(text: str) -> AccessToken:
        cache.refresh()
        return tokens.read(text, anew=True)

    return refreshed


def _authentication(
    settings: Settings,
    store: Store,
    clock: Clock,
    emit: Sink,
    addresses: Addresses,
    uses: LastUses,
    weak: WeakSecrets | None,
) -> Authenticate:
    throttle = None
    if settings.throttle:
        per_client, per_address = map(parse_rate, settings.throttle)
        throttle = Throttle(addresses, per_client, per_address, clock, emit, *([weak.used] if weak else ()))
    return ClientAuthentication(
        store,
        settings.client_auth_methods,
        settings.realm,
        clock,
        settings.authorization_header,
        on_use=uses.note,
        throttle=throttle,
        check_address=partial(check_listed, addresses),
    ).authenticate


def _endpoints(
    settings: Settings,
    authenticate: Authenticate,
    tokens: Formats,
    issue: Issue,
    read: ReadAs,
    clock: Clock,
    emit: Sink,
    wanted: Callable[[], bool],
    hooks: Hooks | None,
) -> dict[str, Endpoint]:
    """The endpoints at which clients authenticate, by the option that names their path."""
    return {
        "token_path": TokenEndpoint(
            authenticate,
            issue,
            lifetime=settings.access_token_lifetime,
            default_scope=settings.default_scope,
            narrow=settings.scope_policy == "narrow",
            audience=settings.names,
            grant_type_in=settings.grant_type_in,
            emit=emit,
            clock=clock,
            audience_parameter=settings.audience_parameter,
            wanted=wanted,
            read=_reading(settings, every=hooks is not None),
            parse=partial(parse_form, every=True) if hooks else parse_form,
            hooks=hooks,
            members=apigee_members(clock) if settings.compatibility == APIGEE else None,
        ),
        "revocation_path": RevocationEndpoint(authenticate, tokens.of, emit),
        "introspection_path": IntrospectionEndpoint(authenticate, read, settings.names),
    }


def _reading(settings: Settings, *, every: bool) -> Callable[[Request], Form]:
    """What reads the form of the token endpoint. Apigee reads no body where ``grant_type`` is in the query."""
    empty = settings.compatibility == APIGEE and "query" in settings.grant_type_in
    return partial(read_form, every=every, empty_of_any_type=empty) if every or empty else read_form


def _own_apps(
    settings: Settings,
    authenticated: Mapping[str, Endpoint],
    documents: Mapping[str, Endpoint],
    health: Mapping[str, WSGIApplication],
    answer: Callable[..., WSGIApplication],
    outages: Outages,
    cors: Cors | None,
    weak: WeakSecrets | None,
) -> dict[str, WSGIApplication]:
    """What answers each own path."""
    found = {}
    for name, path in own_paths(settings):
        if name in authenticated:
            app = answer(authenticated[name], answered=partial(outages.answered, path))
            app = weak.watching(app) if weak else app
        else:
            app = health[name] if name in health else answer(documents[name])
        methods = (MethodNotAllowed if name in authenticated else ReadOnly).allowed
        found[path] = cors.of_endpoint(app, methods) if cors else app
    return found
