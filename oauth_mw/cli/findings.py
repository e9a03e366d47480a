"""What works in a configuration, but perhaps not as intended: the warnings of ``oauth-mw check``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import urlsplit

from ..config import OPTIONS, Settings, documented_resource, first_paths, own_paths
from ..errors import AUTHORIZATION
from ..model import Client
from ..protocols import Store
from ..rules import PUBLIC, PUBLIC_PATHS, REQUIRED_SCOPES, REST, Pattern, as_path_info, with_empty_names
from ..stores import accepts_any_certificate

# Options that open more than their names suggest.
OPENING = {
    "preflight": "OPTIONS with Origin and Access-Control-Request-Method reaches the app's views without a token,"
    " also on paths that rules name: cors_origins answers such requests before the app",
    "trust_vhm_root": "a client that can send X-Vhm-Root itself bypasses the rules of a Pyramid traversal app",
}

ISSUING = (
    "access_token_lifetime default_scope scope_policy grant_type_in audience_parameter token_prefix token_format"
    " on_issue on_issue_public on_lifetime"
).split()
POSTED = {"token_path", "revocation_path", "introspection_path"}
# Options that do nothing while a condition holds, and how it is said.
IDLE: list[tuple[list[str], Callable[[Settings], bool], str]] = [
    (ISSUING, lambda settings: not settings.token_path, "token_path is off"),
    (["client_auth_methods"], lambda settings: POSTED.isdisjoint(first_paths(settings)), "no endpoint needs them"),
    (["signing_algorithm", "jwks_path"], lambda settings: not settings.issuer, "issuer is not set"),
    (["signing_algorithm"], lambda settings: bool(settings.signing_key_files), "signing_key_files have their own"),
    (["ambiguous_paths"], lambda settings: not settings.required_scopes, "there are no required_scopes"),
    (["delay_auth_decision"], lambda settings: REST in _patterns(settings), "the path /* names every path"),
    (["revocation_lag_seconds"], lambda settings: _is_local(settings.store), "it is for PostgreSQL and Redis"),
    (["throttle"], lambda settings: POSTED.isdisjoint(first_paths(settings)), "no client authenticates"),
    (["forwarded_header"], lambda settings: not settings.trusted_proxies, "trusted_proxies is not set"),
    (["preflight"], lambda settings: bool(settings.cors_origins), "cors_origins answers preflights before the app"),
    (["cors_headers", "cors_max_age_seconds"], lambda settings: not settings.cors_origins, "cors_origins is not set"),
    (["metadata"], lambda settings: _lacks_openid(settings), "openid needs issuer and token_path"),
    (["on_issue_public"], lambda settings: settings.on_issue is None, "on_issue is not set"),
    (["metrics_client_ids"], lambda settings: settings.metrics_path is None, "metrics_path is off"),
    (["scopes_supported"], lambda settings: _lists_no_scope(settings), "it needs issuer, metadata and scopes of rules"),
]


def findings(settings: Settings, inherited: Collection[str] = ()) -> Iterator[str]:
    """Yield a sentence for each.

    :param inherited: options that another section holds for several: in some of them they may do nothing.
    """
    if accepts_any_certificate(settings.store if isinstance(settings.store, str) else settings.store.url):
        yield (
            "store: with ssl_cert_reqs=none a machine on the way can pass for Redis, and read its password and all"
            " that is stored: name the certificate by ssl_ca_certs=FILE instead"
        )
    yield from _hidden(settings)
    yield from _wide(settings)
    yield from _empty_names(settings)
    yield from _idle(settings, inherited)
    yield from _routed_by_host(settings)
    if settings.required_scopes and settings.ambiguous_paths == "pass":
        yield "ambiguous_paths: with 'pass' rules can be bypassed, as by //x where the app reads it as /x"
    for name, warning in OPENING.items():
        if getattr(settings, name) and not (name == "preflight" and settings.cors_origins):
            yield f"{name}: {warning}"
    path = settings.metrics_path
    if path is not None and settings.path_rules.decide("GET", path) is PUBLIC:
        yield (
            f"metrics_path: {path} is public, and the reasons of refusals show which client ids exist: name it in"
            f" {REQUIRED_SCOPES}, or let the proxy in front refuse it from outside"
        )
    if settings.authorization_header != AUTHORIZATION:
        yield (
            "authorization_header: shared caches protect responses to Authorization alone (RFC 9111 §3.5), so the app"
            " must send Cache-Control: private or no-store"
        )


def weak_secrets(settings: Settings, clients: Iterable[Client]) -> Iterator[str]:
    """Warn of secrets that can be guessed, where the limit on wrong ones is off, or may count clients together."""
    if settings.throttle and settings.trusted_proxies:
        return
    for client in clients:
        if any(secret.weak for secret in client.secrets):
            yield (
                f"throttle: clients have weak secrets, such as {client.client_id!r}, and "
                + (
                    "trusted_proxies is not set: behind a proxy, wrong secrets of others stop these clients, too"
                    if settings.throttle
                    else "it is off: nothing slows down who guesses them"
                )
            )
            return


def address_lists(settings: Settings, clients: Iterable[Client]) -> Iterator[str]:
    """Warn of clients that may send from some addresses alone, where all may have that of a proxy."""
    named = next((client for client in clients if client.allowed_addresses), None)
    if named and not settings.trusted_proxies:
        yield (
            f"trusted_proxies: is not set, and clients may send from some addresses alone, such as {named.client_id!r}:"
            " behind a proxy, every request has its address"
        )


def _hidden(settings: Settings) -> Iterator[str]:
    """Rules and public paths that match own paths, too: all but ``/*``, which everybody writes."""
    patterns = [
        *((REQUIRED_SCOPES, str(rule), rule.pattern, True) for rule in settings.required_scopes),
        *((PUBLIC_PATHS, pattern.text, pattern, False) for pattern in settings.public_paths),
    ]
    for option, text, pattern, wide in patterns:
        regex = pattern.compile(wide=wide)
        hidden = ", ".join(f"{name} {path}" for name, path in own_paths(settings) if regex.fullmatch(path))
        if hidden and pattern != REST:
            yield f"{option}: {text!r} never reaches {hidden}: own paths are answered first"


def _wide(settings: Settings) -> Iterator[str]:
    """Public paths that open other views than those that they were written for."""
    for pattern in settings.public_paths:
        if pattern.segments[:1] in ((), ("",)) and (pattern.tail or pattern.segments):
            yield f"{PUBLIC_PATHS}: {pattern.text!r} opens all such paths that no rule names, of views added later too"


def _idle(settings: Settings, inherited: Collection[str]) -> Iterator[str]:
    """Options that are set and do nothing beside others."""
    for names, is_idle, why in IDLE:
        for name in names:
            if name not in inherited and getattr(settings, name) != OPTIONS[name].default and is_idle(settings):
                yield f"{name}: does nothing, because {why}"


def _routed_by_host(settings: Settings) -> Iterator[str]:
    """Documents of URLs with a path: they lie at the root of the host (RFC 8414 §3.1, RFC 9728 §3.1)."""
    own = first_paths(settings)
    for name, url in (("metadata", settings.issuer), ("resource_metadata", documented_resource(settings) or "")):
        if name in own and urlsplit(url).path.strip("/"):
            yield f"metadata: {url} has a path, so the host must route {own[name]} to this app, without a prefix"


def _patterns(settings: Settings) -> list[Pattern]:
    return [*(rule.pattern for rule in settings.required_scopes), *settings.public_paths]


def _lacks_openid(settings: Settings) -> bool:
    return "openid" in settings.metadata and "openid_metadata" not in first_paths(settings)


def _lists_no_scope(settings: Settings) -> bool:
    has_documents = not {"metadata", "resource_metadata"}.isdisjoint(first_paths(settings))
    return not (has_documents and any(rule.scopes for rule in settings.required_scopes))


def _is_local(store: str | Store) -> bool:
    return isinstance(store, str) and store.startswith(("sqlite:", "memory:"))


def _empty_names(settings: Settings) -> Iterator[str]:
    """Public paths that end in a slash, where a rule's ``{name}`` may be empty."""
    blanks = [blank for _, blank in with_empty_names(settings.required_scopes)]
    for pattern in settings.public_paths:
        if pattern.slash and any(_matches(blank, pattern) or _matches(pattern, blank) for blank in blanks):
            yield f"{PUBLIC_PATHS}: {pattern.text!r} opens a rule's view if {{name}} may be empty (Falcon)"


def _matches(one: Pattern, other: Pattern) -> bool:
    """True if one matches what another says, its ``{name}`` taken for a name."""
    return one.compile(wide=False).fullmatch(as_path_info(other.text)) is not None
