"""How a middleware refuses a request: the guard and the views of the app do it alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from .errors import AUTHORIZATION, DEFAULT_REALM, InvalidToken, OAuthError

Refuse = Callable[[OAuthError, WSGIEnvironment, StartResponse], Iterable[bytes]]

log = logging.getLogger("oauth_mw")


class Server(NamedTuple):
    """One middleware, as its tokens carry it, and each request that it passes without a token.

    ``challenge`` is its challenge without an error (RFC 6750 §3). ``refuse`` answers a request with an error, and
    reports that. ``header`` is the name of the header that it reads credentials from.
    """

    challenge: str
    refuse: Refuse
    header: str = AUTHORIZATION

    @property
    def invalid(self) -> str:
        """The challenge after an invalid token, for a 401 of the app itself."""
        return f'{self.challenge}, error="{InvalidToken.error}"'

    def passing(self, reason: str, client_id: str, token_id: str) -> Server:
        """The same for one request that passes with an invalid token: the log says why, if a view refuses it.

        Only the function knows whose token that is. The environ holds no identity.
        """

        def refuse(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if isinstance(error, InvalidToken):
                error.reason, error.client_id, error.token_id = reason, client_id, token_id
            return self.refuse(error, environ, start_response)

        return self._replace(refuse=refuse)


def environ_key(header: str) -> str:
    """Return the key of a request header in the environ (PEP 3333)."""
    return "HTTP_" + header.upper().replace("-", "_")


def _refuse_alone(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    log.warning("a view refused a request (%s) that passed no OAuthMiddleware: wrap the app in one", error.error)
    return error.response()(environ, start_response)


# Of a request that passed no middleware, and of a token that no middleware made.
NO_SERVER = Server(f'Bearer realm="{DEFAULT_REALM}"', _refuse_alone)
