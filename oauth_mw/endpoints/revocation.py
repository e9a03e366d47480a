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
    """End a client's own token.

    Another client's token is answered like an unknown one, 200, so that nobody learns that it
    exists; nothing is revoked, and an event says who tried. ``token_type_hint`` changes nothing.

    :param known: the token of a text that has not expired, and whether it lives; or ``None``.
    :param revoke: end the token of a text, or make sure that its end is kept; false when it had ended before.
    """

    def __init__(
        self,
        authenticate: ClientAuthentication,
        known: Callable[[str], tuple[AccessToken, bool] | None],
        revoke: Callable[[str, AccessToken], bool],
        emit: Sink,
    ) -> None:
        self._authenticate = authenticate
        self._known = known
        self._revoke = revoke
        self._emit = emit

    def __call__(self, request: Request) -> Response:
        """
        :raises EndpointError: RFC 7009 §2.2.1.
        :raises StoreUnavailable: the token is not known to be ended.
        """
        require_post(request)
        form = read_form(request)
        client = self._authenticate(request, form)
        text = form.get("token")
        if text is None:
            raise InvalidRequest("no token", client.client_id)
        token, lives = self._known(text) or (None, False)
        if token is not None and token.client_id == client.client_id:
            # One that is dead may be so by a request that was answered 503: the store had not kept it safely yet.
            if self._revoke(text, token):
                self._emit(TokenRevoked(client.client_id, token.token_id))
        elif token is not None and lives:
            self._emit(ForeignRevocation(client.client_id, token.token_id, token.client_id))
        return Response(headerlist=[("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", "0"), *NO_STORE])
