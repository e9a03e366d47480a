"""The environ keys, and helpers for views of the wrapped app."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .errors import ConfigError, InsufficientScope
from .model import BEARER_CHALLENGE, AccessToken

CLIENT_ID = "oauth_mw.client_id"
SCOPE = "oauth_mw.scope"
TOKEN = "oauth_mw.token"
ERROR = "oauth_mw.error"


def current_token(environ: WSGIEnvironment) -> AccessToken | None:
    """Return the access token of an accepted request; ``None`` if there is none, as on a public path."""
    token: AccessToken | None = environ.get(TOKEN)
    return token


def forbidden(*scopes: str) -> WSGIApplication:
    """Return a WSGI app that answers as the guard does: 403, ``insufficient_scope`` (RFC 6750 §3.1).

    For views that check scopes themselves.

    :param scopes: the scope tokens that the request needs, one or several (separated by spaces) in each argument.
    :raises ConfigError: a scope has a character that RFC 6749 §3.3 does not allow.
    """
    needed = " ".join(scopes)
    if not all(" " <= c <= "~" and c not in '"\\' for c in needed):
        raise ConfigError("forbidden", "a scope may hold only the characters of RFC 6749 §3.3")

    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        token = current_token(environ)
        challenge = token.challenge if token else BEARER_CHALLENGE
        return InsufficientScope.prepare(challenge, needed)(environ, start_response)

    return refuse
