"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..answers import NO_STORE_HEADERS
from ..client_auth import Authenticate
from ..events import ForeignRevocation, Sink, TokenRevoked
from ..tokens.formats import Format
from ..webob import Request, Response
from . import read_token


@dataclass(eq=False, repr=False)
class RevocationEndpoint:
    """Revokes a client's own token.

    For another client's token the answer is 200, as for an unknown one, so that the caller cannot learn that it exists.
    Nothing is revoked, and an event names the caller. ``token_type_hint`` is ignored.

    :param format_of: returns the format that a text has, if it is a token.
    """

    authenticate: Authenticate
    format_of: Callable[[str], Format]
    emit: Sink

    def __call__(self, request: Request) -> Response:
        """Revoke a token, or raise an ``EndpointError`` (RFC 7009 §2.2.1) or ``StoreUnavailable``."""
        client, text = read_token(request, self.authenticate)
        token_format = self.format_of(text)
        token, is_live = token_format.find(text) or (None, False)
        if token is None:
            token_format.revoke_unknown(text, client.client_id)
        elif token.client_id == client.client_id:
            # Also if it is revoked already: that request may have been answered 503, before the revocation was durable.
            if token_format.revoke(token):
                self.emit(TokenRevoked(client.client_id, token.token_id, client.name), request.environ)
        elif is_live:
            event = ForeignRevocation(client.client_id, token.token_id, token.client_id, client.name)
            self.emit(event, request.environ)
        return Response(
            headerlist=[("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", "0"), *NO_STORE_HEADERS]
        )
