"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..client_auth import ClientAuthentication
from ..errors import NO_STORE_HEADERS
from ..events import ForeignRevocation, Sink, TokenRevoked
from ..model import AccessToken
from ..webob import Request, Response
from . import read_token


@dataclass(eq=False, repr=False)
class RevocationEndpoint:
    """Revokes a client's own token.

    For another client's token the answer is 200, as for an unknown one, so that the caller cannot learn that it exists.
    Nothing is revoked, and an event names the caller. ``token_type_hint`` is ignored.

    :param find: returns the token for a text and whether it is live (not revoked), or ``None``.
    :param revoke: revokes the token for a text, or makes an earlier revocation durable; false if it was revoked before.
    :param revoke_unknown: revokes the token for a text that ``find`` does not know, as far as workers have cached it.
    """

    authenticate: ClientAuthentication
    find: Callable[[str], tuple[AccessToken, bool] | None]
    revoke: Callable[[str, AccessToken], bool]
    revoke_unknown: Callable[[str, str], None]
    emit: Sink

    def __call__(self, request: Request) -> Response:
        """Revoke a token, or raise an ``EndpointError`` (RFC 7009 §2.2.1) or ``StoreUnavailable``."""
        client, text = read_token(request, self.authenticate)
        token, is_live = self.find(text) or (None, False)
        if token is None:
            self.revoke_unknown(text, client.client_id)
        elif token.client_id == client.client_id:
            # Also if it is revoked already: that request may have been answered 503, before the revocation was durable.
            if self.revoke(text, token):
                self.emit(TokenRevoked(client.client_id, token.token_id))
        elif is_live:
            self.emit(ForeignRevocation(client.client_id, token.token_id, token.client_id))
        return Response(
            headerlist=[("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", "0"), *NO_STORE_HEADERS]
        )
