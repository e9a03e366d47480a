"""The token endpoint: the client credentials grant (RFC 6749 §4.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from math import floor

from ..answers import Answer
from ..client_auth import Authenticate
from ..credentials import is_printable
from ..errors import (
    EndpointError,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    TargetsDiffer,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from ..events import Sink, TokenIssued
from ..hooks import Hooks
from ..http import AUDIENCE, RESOURCE, Form, is_in_query, parse_form, query_of, read_form, values_of
from ..model import SCOPE_TOKEN, Client, Clock, Issued
from ..resources import MAX_RESOURCES, is_resource
from ..webob import Request
from . import json_response, missing, require_post

GRANT_TYPE = "client_credentials"
MAX_STATE = 512

Issue = Callable[[Client, Sequence[str], int, Sequence[str]], Issued]
Members = Callable[[Client, Issued, str, int, str | None], dict[str, object]]


@dataclass(eq=False, repr=False)
class TokenEndpoint:
    """Issues access tokens to authenticated clients.

    :param issue: issues a token in the client's format.
    :param lifetime: seconds, for clients without a lifetime of their own.
    :param default_scope: for clients without a default of their own, reduced to what they may have;
        ``None`` stands for all that they may have.
    :param narrow: drop requested scopes that a client may not have, instead of refusing the request.
    :param audience: this server's identifiers; clients without audiences of their own may request these.
    :param grant_type_in: where ``grant_type`` is accepted: ``body``, ``query``, ``header``.
    :param audience_parameter: take the parameter ``audience`` as ``resource``.
    :param wanted: false while no sink uses events of requests: none is made then.
    :param read: reads the parameters of the body, and ``parse`` those of the query.
    :param hooks: functions of the user that decide about tokens; ``None`` if there are none.
    :param members: makes the members of an answer of client, token, scope, lifetime and state; ``None``: those of the
        RFC.
    """

    authenticate: Authenticate
    issue: Issue
    _: KW_ONLY
    lifetime: int
    default_scope: Sequence[str] | None
    narrow: bool
    audience: Sequence[str]
    grant_type_in: Collection[str]
    emit: Sink
    clock: Clock
    audience_parameter: bool = False
    wanted: Callable[[], bool] = lambda: True
    read: Callable[[Request], Form] = read_form
    parse: Callable[[bytes], Form] = parse_form
    hooks: Hooks | None = None
    members: Members | None = None

    def __call__(self, request: Request) -> Answer:
        """Issue a token, or raise an ``EndpointError`` (RFC 6749 §5.2) or ``StoreUnavailable``."""
        require_post(request)
        body = self.read(request)
        query = self.parse(query_of(request)) if "query" in self.grant_type_in else {}
        client = self.authenticate(request, body)
        try:
            self._check_grant_type(request, body, query)
            return self._issued(request, client, body, query)
        except EndpointError as refusal:
            refusal.client_id = client.client_id
            raise

    def _issued(self, request: Request, client: Client, body: Form, query: Form) -> Answer:
        if client.resource_server:
            raise UnauthorizedClient("resource servers are issued no tokens")
        scopes = self._granted(client, _one_of("scope", body, query))
        audience = self._audience_for(client, self._requested(body, query))
        state = _one_of("state", body, query)
        if state is not None and (len(state) > MAX_STATE or not is_printable(state)):
            raise InvalidRequest(f"The parameter state is not printable ASCII of at most {MAX_STATE} characters")
        lifetime = client.lifetime or self.lifetime
        if self.hooks is not None:
            client, lifetime = self.hooks(client, scopes, {**query, **body}, lifetime)
        if client.not_after is not None:
            lifetime = min(lifetime, max(floor(client.not_after - self.clock()), 1))
        issued, scope = self.issue(client, scopes, lifetime, audience), " ".join(scopes)
        if self.wanted():
            token = client.client_id, issued.token_id, scope, issued.expires_at, issued.audience
            self.emit(TokenIssued(*token, client.name), request.environ)
        members = self.members or _members
        return json_response(members(client, issued, scope, lifetime, state))

    def _check_grant_type(self, request: Request, body: Form, query: Form) -> None:
        found = ""
        for place in self.grant_type_in:
            if place == "header":
                value = request.environ.get("HTTP_GRANT_TYPE")
            else:
                value = (body if place == "body" else query).get("grant_type")
            if value and found:
                raise _in_two_places("grant_type")
            found = value or found
        if not found:
            raise self._missing_grant_type(request, body)
        if found != GRANT_TYPE:
            raise UnsupportedGrantType("grant_type is not client_credentials")

    def _missing_grant_type(self, request: Request, body: Form) -> InvalidRequest:
        present = {
            "query": is_in_query(request, "grant_type"),
            "header": request.environ.get("HTTP_GRANT_TYPE"),
            "body": "grant_type" in body,
        }
        place = next((place for place in present if present[place] and place not in self.grant_type_in), "")
        return missing("grant_type", place, " or ".join(self.grant_type_in))

    def _granted(self, client: Client, requested: str | None) -> Sequence[str]:
        """The scope to grant (RFC 6749 §3.3).

        :raises InvalidScope: it is malformed or not allowed.
        """
        if requested is None:
            if client.default_scope is not None:
                return client.default_scope
            if self.default_scope is not None:
                return _allowed(client, self.default_scope)
            return client.scopes
        # Only U+0020 separates; a plain split() would also take tabs and no-break spaces.
        scopes = list(dict.fromkeys(scope for scope in requested.split(" ") if scope))
        if not scopes or not all(map(SCOPE_TOKEN.fullmatch, scopes)):
            raise InvalidScope("malformed scope")
        allowed = _allowed(client, scopes)
        if not allowed or (len(allowed) < len(scopes) and not self.narrow):
            raise InvalidScope("scope not allowed for this client")
        return allowed

    def _requested(self, body: Form, query: Form) -> str | None:
        """The parameter ``resource``, or ``audience`` where that counts.

        :raises TargetsDiffer: both are sent, and differ.
        """
        resource = _one_of(RESOURCE, body, query)
        audience = _one_of(AUDIENCE, body, query) if self.audience_parameter else None
        if resource and audience and set(values_of(resource)) != set(values_of(audience)):
            raise TargetsDiffer("resource and audience differ")
        return resource or audience

    def _audience_for(self, client: Client, text: str | None) -> Sequence[str]:
        """The audience of the token (RFC 8707 §2): all requested resources, else the client's default.

        :raises InvalidTarget: a resource is malformed or not allowed.
        """
        allowed = client.audiences or self.audience
        if text is None:
            if client.default_audience is not None or allowed is self.audience:
                return client.default_audience or allowed[:1]
            # The default, too, must be an audience that the client may request.
            fitting = [resource for resource in self.audience if resource in allowed]
            return (fitting or allowed)[:1]
        requested = values_of(text)
        if len(requested) > MAX_RESOURCES or not all(map(is_resource, requested)):
            raise InvalidTarget("malformed resource, or too many")
        if not set(requested) <= {*allowed, *(client.default_audience or ())}:
            raise InvalidTarget("resource not allowed for this client")
        return requested


def _allowed(client: Client, scopes: Iterable[str]) -> Sequence[str]:
    """The ``scopes`` that the client may have, in their order."""
    may_have = set(client.scopes)
    return [scope for scope in scopes if scope in may_have]


def _in_two_places(name: str) -> InvalidRequest:
    return InvalidRequest(f"The parameter {name} was sent in more than one place: send it in one")


def _one_of(name: str, body: Form, query: Form) -> str | None:
    if not query:
        return body.get(name)
    if name in body and name in query:
        raise _in_two_places(name)
    return body.get(name, query.get(name))


def _members(client: Client, issued: Issued, scope: str, lifetime: int, state: str | None) -> dict[str, object]:
    """The members of RFC 6749 §5.1. An empty scope has no notation, so it is left out.

    :param lifetime: seconds for which the token is valid, at least.
    """
    members: dict[str, object] = {"access_token": issued.text, "token_type": "Bearer", "expires_in": lifetime}
    if scope:
        members["scope"] = scope
    if state is not None:
        members["state"] = state
    for name in sorted(client.public_attributes):
        members[name] = client.attributes[name]
    return members
