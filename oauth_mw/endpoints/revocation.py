"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable

from ..client_auth import ClientAuthentication
from ..errors import NO_STORE, InvalidRequest
from ..events import ForeignRevocation, Sink, TokenRevoked
from ..http import read_form
from ..model import AccessToken
from ..webob import Request, Response
from . import require_post


class RevocationEndpoint:
    """Revokes a client's own token.

    For another client's token the answer is 200, as for an unknown one, so that the caller cannot learn that it exists.
    Nothing is revoked, and an event names the caller. ``token_type_hint`` is ignored.

    :param find: returns the unexpired token for a text and whether it is live (not revoked), or ``None``.
    :param revoke: revokes the token for a text, or makes an earlier revocation durable; false if it was revoked before.
    """

    def __init__(
        self,
        authenticate: ClientAuthentication,
        find: Callable[[str], tuple[AccessToken, bool] | None],
        revoke: Callable[[str, AccessToken], bool],
        emit: Sink,
    ) -> None:
        self._authenticate = authenticate
        self._find = find
        self._revoke = revoke
        self._emit = emit

    def __call__(self, request: Request) -> Response:
        """
        :raises EndpointError: RFC 7009 §2.2.1.
        :raises StoreUnavailable: the revocation is not confirmed.
        """
        require_post(request)
        form = read_form(request)
        client = self._authenticate(request, form)
        text = form.get("token")
        if text is None:
            raise InvalidRequest("no token", client.client_id)
        token, is_live = self._find(text) or (None, False)
        if token is not None and token.client_id == client.client_id:
            # Also if it is revoked already: that request may have been answered 503, before the revocation was durable.
            if self._revoke(text, token):
                self._emit(TokenRevoked(client.client_id, token.token_id))
        elif token is not None and is_live:
            self._emit(ForeignRevocation(client.client_id, token.token_id, token.client_id))
        return Response(headerlist=[("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", "0"), *NO_STORE])
