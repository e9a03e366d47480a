"""``oauth-mw explain``: which rule decides a request, what it needs, what would be answered, and why."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

import click

from .. import admin
from ..addresses import parse_address
from ..cherrypy import REFUSE_CHERRYPY, is_doubtful
from ..config import Settings, own_paths, slashed_paths
from ..credentials import has_expired
from ..errors import (
    AmbiguousPath,
    InsufficientScope,
    InvalidClient,
    InvalidToken,
    MethodNotAllowed,
    ReadOnly,
    SlashAtEnd,
)
from ..limits import allows, names, parse_limit, parse_networks, parse_request
from ..model import Client
from ..rules import NO_METHOD, OWN, Access, Row
from ..stores import open_store
from ..terms import UnauthorizedAddress
from ..texts import unprintable
from .check import answered_here
from .naming import client_id_of
from .tables import columns
from .target import Target
from .terminal import Output, on_target

ANY = "with such a token"
UNNAMED = "no rule names the path"
PASSED = "passed to the app"
ENDPOINT = "that of the endpoint"
POSTED = ("token_path", "revocation_path", "introspection_path")


@dataclass(frozen=True)
class Explained:
    """What the middleware does with a request.

    ``rows`` are the rules that decide, ``without`` the answer to it without a valid token, and ``given`` with one:
    the token that was asked about, else one that has what ``needs`` says.
    """

    rows: Sequence[Row]
    needs: str
    without: str
    given: str
    why: str
    token: str = ANY


@click.command()
@click.argument("method")
@click.argument("path")
@click.option(
    "--client",
    "client_id",
    metavar="CLIENT",
    help="Judge a token with all scopes of this client: its id, or its name if only one has it.",
)
@click.option("--scope", multiple=True, metavar="SCOPE", help="Judge a token with these scopes, separated by spaces.")
@click.option("--address", metavar="ADDRESS", help="Judge a request of --client that comes from this address.")
@on_target
def explain(
    target: Target,
    method: str,
    path: str,
    client_id: str | None,
    scope: tuple[str, ...],
    address: str | None,
) -> Output:
    """Say which rule decides a request, what it needs, and what would be answered.

    PATH is what a URL has behind the host and the mount of the app: %XX is decoded once, as a server does, and a
    query is ignored. The rules of an ini are read, or those of the middleware in MODULE:APP (MODULE:make() for a
    factory), which is imported. No store is created.
    """
    if not target.config:
        raise click.UsageError("No configuration given: name the ini file or MODULE:APP with --config.")
    if client_id is not None and scope:
        raise click.UsageError("--client and --scope exclude each other.")
    if address is not None and (client_id is None or parse_address(address) is None):
        raise click.UsageError("--address is an address, such as 192.0.2.7, and needs --client, whose list counts.")
    if not path.startswith("/"):
        raise click.UsageError("PATH begins with a slash: give what the URL has behind the host.")
    settings, doubt = target.settings(), target.in_app.fault if target.in_app else ""
    wire = unquote_to_bytes(path.partition("?")[0].partition("#")[0]).decode("latin-1")
    access, found = _decide(settings, method, wire)
    if wire in slashed_paths(settings) and found.without == InvalidToken.status:
        found = replace(found, without=SlashAtEnd.status, why=f"{found.why}; {SlashAtEnd.description}")
    if access is OWN and client_id is not None and method == "POST" and found.given == ENDPOINT:
        found = _authenticate(found, _client(settings, client_id), address)
    elif access.kind in ("token", "no method"):
        if client_id is not None:
            client = _client(settings, client_id)
            given = f"with a token of {client.client_id}"
            found = _judge(found, access, given, client.scopes, _unusable(client, settings))
            found = _limit(found, client, settings, method, wire, address)
        elif scope:
            scopes = " ".join(scope).split()
            found = _judge(found, access, f"with scope {' '.join(scopes)}" if scopes else "with no scope", scopes)
    return _output(method, wire, found)._replace(note=doubt and f"warning: {doubt}")


def _client(settings: Settings, text: str) -> Client:
    if not isinstance(settings.store, str):
        return admin.get_client(settings.store, client_id_of(settings.store, text))
    with closing(open_store(settings.store, timeout=settings.store_timeout_seconds)) as store:
        return admin.get_client(store, client_id_of(store, text))


def _decide(settings: Settings, method: str, path: str) -> tuple[Access, Explained]:
    """The decision of the rules about a request, with its raw ``PATH_INFO``, and what it means."""
    rules, refused = settings.path_rules, InvalidToken.status
    name = next((name for name, own in own_paths(settings) if own == path), None)
    if name:
        own = _own(name, method)
        return OWN, _with_preflight(settings, method, own) if settings.cors_origins else own
    access = rules.decide(method, path)
    if access is rules.ambiguous:
        why = "an app can read the path as another one than the rules do"
        if access.kind == "ambiguous":
            return access, Explained([], "refused (400)", AmbiguousPath.status, AmbiguousPath.status, why)
        return access, Explained([], access.needs, refused, PASSED, f"{why}, so it is never public")
    rows = rules.deciding(method, path)
    if access.kind == "public":
        return access, Explained(rows, access.needs, PASSED, PASSED, f"{UNNAMED}, and public_paths opens it")
    if access.kind == "no method":
        return access, _no_method(settings, method, path, rows)
    why = "this rule is the first that matches" if access.named else UNNAMED
    if len(rows) > 1:
        why = "an app may take the path for one with an empty name, so both rules count"
    if settings.delay_auth_decision and not access.named:
        refused = f"{PASSED}, with oauth_mw.error"
        why += ", and delay_auth_decision leaves it to the app"
    return access, _with_preflight(settings, method, Explained(rows, access.needs, refused, PASSED, why))


def _own(name: str, method: str) -> Explained:
    error, why = MethodNotAllowed if name in POSTED else ReadOnly, f"{name}: own paths are answered before any rule"
    if method in error.allowed.split(", "):
        return Explained([], answered_here(name), ENDPOINT, ENDPOINT, why)
    return Explained([], answered_here(name), error.status, error.status, f"{why}; {error.description}")


def _no_method(settings: Settings, method: str, path: str, rows: Sequence[Row]) -> Explained:
    rules = settings.path_rules
    if method != method.upper() and rules.decide(method.upper(), path).kind != "no method":
        why = f"some apps treat {method} as {method.upper()}, for which the rules say something else"
    else:
        named = {each for rule in settings.required_scopes for each in rule.methods or ()}
        allowed = [each for each in sorted(named) if rules.decide(each, path).kind == "token"]
        why = f"rules name the path, but only for {', '.join(allowed)}"
    explained = Explained(rows, NO_METHOD.needs, InvalidToken.status, InsufficientScope.status, why, "with any token")
    return _with_preflight(settings, method, explained)


def _with_preflight(settings: Settings, method: str, found: Explained) -> Explained:
    if method != "OPTIONS" or not (settings.preflight or settings.cors_origins):
        return found
    what = "is answered here, by cors_origins"
    if not settings.cors_origins:
        what = "without a token is passed to the app, by preflight"
    return replace(found, why=f"{found.why}; a CORS preflight {what}")


def _judge(found: Explained, access: Access, token: str, scopes: Collection[str], unusable: str = "") -> Explained:
    """The same for a token with these scopes, as the guard judges it. ``unusable``: why it would not be accepted."""
    if unusable:
        return replace(found, token=token, given=found.without, why=f"{found.why}; {unusable}")
    if Access("token", frozenset(scopes)).demands(access):
        return replace(found, token=token)
    if access.kind == "token":
        lacking = " ".join(each for each in access.scope.split() if each not in scopes)
        found = replace(found, why=f"{found.why}; the token {'has none of' if access.any_of else 'lacks'} {lacking}")
    return replace(found, token=token, given=InsufficientScope.status)


def _limit(
    found: Explained, client: Client, settings: Settings, method: str, path: str, address: str | None
) -> Explained:
    """The same by the limits of the client, where its token would pass."""
    if found.given != PASSED:
        return found
    found = _place(found, client, address, InsufficientScope.status)
    if found.given != PASSED:
        return found
    if client.allowed_requests:
        doubtful = settings.ambiguous_paths == REFUSE_CHERRYPY and is_doubtful({"PATH_INFO": path})
        if doubtful or not allows(map(parse_request, client.allowed_requests), method, path):
            why = f"{found.why}; the client may send only {', '.join(client.allowed_requests)}"
            return replace(found, given=InsufficientScope.status, why=why)
    rate = settings.rate_limit if client.rate_limit is None else parse_limit(client.rate_limit)
    return replace(found, why=f"{found.why}; the client may send at most {rate}") if rate else found


def _authenticate(found: Explained, client: Client, address: str | None) -> Explained:
    """The same where a client authenticates, with its secret."""
    found = replace(found, token=f"to {client.client_id}")
    if closed := _closed(client):
        return replace(found, given=InvalidClient.status, why=f"{found.why}; {closed}")
    return _place(found, client, address, UnauthorizedAddress.status)


def _place(found: Explained, client: Client, address: str | None, status: str) -> Explained:
    """The same by the addresses of the client, with this status from another one."""
    listed = client.allowed_addresses
    if not listed:
        return found
    found = replace(found, why=f"{found.why}; the client may send only from {' '.join(listed)}")
    if address is None or names(parse_networks(listed), parse_address(address)):
        return found
    return replace(found, given=status, why=f"{found.why}, not from {address}")


def _closed(client: Client) -> str:
    if not client.enabled:
        return "the client is disabled: neither it nor its tokens are accepted"
    expired = "the client has expired: neither it nor its tokens are accepted"
    return expired if has_expired(client, time.time()) else ""


def _unusable(client: Client, settings: Settings) -> str:
    """Why no token of the client is accepted here; ``""`` if one can be."""
    if client.resource_server:
        return "the client is a resource server, which is issued no tokens"
    if closed := _closed(client):
        return closed
    audiences = {*(client.audiences or settings.names), *(client.default_audience or ())}
    if audiences and audiences.isdisjoint(settings.names):
        return "its tokens are for other audiences than this server"
    return ""


def _output(method: str, wire: str, found: Explained) -> Output:
    path = wire.encode("latin-1").decode(errors="backslashreplace")
    shown = "".join(repr(each)[1:-1] if unprintable(each) else each for each in f"{method} {path}")
    answers = [("without a token", found.without), (found.token, found.given)]
    if found.token == ANY and found.without == found.given:
        answers = [("answer", found.given)]
    deciding = [("decided by", " ".join(row)) for row in found.rows]
    text = columns([("request", shown), *deciding, ("needs", found.needs), *answers, ("because", found.why)])
    view = {
        "method": method,
        "path": path,
        "rules": [row._asdict() for row in found.rows],
        "needs": found.needs,
        "without_token": found.without,
        "with_token": found.given,
        "why": found.why,
    }
    return Output(view, text)
