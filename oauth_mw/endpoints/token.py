"""The token endpoint: the client credentials grant (RFC 6749 §4.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from ..client_auth import ClientAuthentication
from ..credentials import is_printable
from ..errors import InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient, UnsupportedGrantType
from ..events import Sink, TokenIssued
from ..http import RESOURCE, Form, parse_form, read_form, values_of
from ..model import SCOPE_TOKEN, AccessToken, Client
from ..resources import MAX_RESOURCES, is_resource
from ..webob import Request, Response
from . import json_response, require_post

GRANT_TYPE = "client_credentials"
MAX_STATE = 512

Issue = Callable[[Client, Sequence[str], int, Sequence[str]], tuple[str, AccessToken]]


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
    """

    authenticate: ClientAuthentication
    issue: Issue
    _: KW_ONLY
    lifetime: int
    default_scope: Sequence[str] | None
    narrow: bool
    audience: Sequence[str]
    grant_type_in: Collection[str]
    emit: Sink

    def __call__(self, request: Request) -> Response:
        """Issue a token, or raise an ``EndpointError`` (RFC 6749 §5.2) or ``StoreUnavailable``."""
        require_post(request)
        body = read_form(request, may_be_empty=not set(self.grant_type_in) <= {"body"})
        query: Form = {}
        if "query" in self.grant_type_in:
            query = parse_form(request.environ.get("QUERY_STRING", "").encode("latin-1", "replace"))
        client = self.authenticate(request, body)
        self._check_grant_type(request, body, query)
        if client.resource_server:
            raise UnauthorizedClient("resource servers are issued no tokens", client.client_id)
        scopes = self._granted(client, _one_of("scope", body, query))
        audience = self._audience_for(client, _one_of(RESOURCE, body, query))
        state = _one_of("state", body, query)
        if state is not None and (len(state) > MAX_STATE or not is_printable(state)):
            raise InvalidRequest("state is too long or not printable", client.client_id)
        lifetime = client.lifetime or self.lifetime
        text, token = self.issue(client, scopes, lifetime, audience)
        self.emit(TokenIssued(client.client_id, token.token_id, token.scope, token.expires_at, token.audience))
        return json_response(_answer(text, token, lifetime, state))

    def _check_grant_type(self, request: Request, body: Form, query: Form) -> None:
        found = ""
        for place in self.grant_type_in:
            if place == "header":
                value = request.environ.get("HTTP_GRANT_TYPE")
            else:
                value = (body if place == "body" else query).get("grant_type")
            if value and found:
                raise InvalidRequest("grant_type in more than one place")
            found = value or found
        if not found:
            raise InvalidRequest("no grant_type")
        if found != GRANT_TYPE:
            raise UnsupportedGrantType("grant_type is not client_credentials")

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
            raise InvalidScope("malformed scope", client.client_id)
        allowed = _allowed(client, scopes)
        if not allowed or (len(allowed) < len(scopes) and not self.narrow):
            raise InvalidScope("scope not allowed for this client", client.client_id)
        return allowed

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
            raise InvalidTarget("malformed resource, or too many", client.client_id)
        if not set(requested) <= {*allowed, *(client.default_audience or ())}:
            raise InvalidTarget("resource not allowed for this client", client.client_id)
        return requested


def _allowed(client: Client, scopes: Iterable[str]) -> Sequence[str]:
    """The ``scopes`` that the client may have, in their order."""
    may_have = set(client.scopes)
    return [scope for scope in scopes if scope in may_have]


def _one_of(name: str, body: Form, query: Form) -> str | None:
    if not query:
        return body.get(name)
    if name in body and name in query:
        raise InvalidRequest(f"{name} in more than one place")
    return body.get(name, query.get(name))


def _answer(text: str, token: AccessToken, lifetime: int, state: str | None) -> dict[str, object]:
    """The members of RFC 6749 §5.1. An empty scope has no notation, so it is left out.

    :param lifetime: seconds for which the token is valid, at least.
    """
    members: dict[str, object] = {
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": lifetime,
    }
    if token.scope:
        members["scope"] = token.scope
    if state is not None:
        members["state"] = state
    for name in sorted(token.public_attributes):
        members[name] = token.attributes[name]
    return members
