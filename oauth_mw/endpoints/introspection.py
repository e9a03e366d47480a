"""The introspection endpoint (RFC 7662)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..answers import Answer
from ..client_auth import Authenticate
from ..errors import TokenRefused
from ..model import AccessToken, Client
from ..webob import Request
from . import json_response, read_token


@dataclass(eq=False, repr=False)
class IntrospectionEndpoint:
    """Describes to a client its own tokens, and to a resource server the tokens that are for it.

    For anything but a live token that the caller may see, the answer is ``{"active": false}`` and nothing else
    (RFC 7662 §2.2).

    :param read: returns the live token for a text and the client that asks, or raises ``TokenRefused``. It makes the
        same checks as the guard, except for the audience.
    :param audience: this server's identifiers. They are those of a resource server without audiences of its own, and
        of a token without an audience.
    """

    authenticate: Authenticate
    read: Callable[[str, Client], AccessToken]
    audience: Sequence[str]

    def __call__(self, request: Request) -> Answer:
        """Describe a token, or raise an ``EndpointError`` (RFC 7662 §2.3) or ``StoreUnavailable``."""
        client, text = read_token(request, self.authenticate)
        token: AccessToken | None
        try:
            token = self.read(text, client)
        except TokenRefused:
            token = None
        if token is None or not self._may_see(client, token):
            return json_response({"active": False})
        members: dict[str, object] = {
            "active": True,
            "client_id": token.client_id,
            "sub": token.client_id,
            "token_type": "Bearer",
            "exp": token.expires_at,
            "iat": token.issued_at,
        }
        if token.scope:
            members["scope"] = token.scope
        if token.audience:
            members["aud"] = token.audience[0] if len(token.audience) == 1 else token.audience
        members.update((name, token.attributes[name]) for name in sorted(token.public_attributes))
        return json_response(members)

    def _may_see(self, client: Client, token: AccessToken) -> bool:
        if token.client_id == client.client_id:
            return True
        audiences, meant_for = client.audiences or self.audience, token.audience or self.audience
        return client.resource_server and (not audiences or not set(audiences).isdisjoint(meant_for))
