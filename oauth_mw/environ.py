"""The environ keys, and helpers for views of the wrapped app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .errors import BearerError, ConfigError, InsufficientScope, InvalidToken, MissingToken
from .model import SCOPE_TOKEN, AccessToken
from .server import NO_SERVER, Server

CLIENT_ID = "oauth_mw.client_id"
SCOPE = "oauth_mw.scope"
TOKEN = "oauth_mw.token"
ERROR = "oauth_mw.error"
SERVER = "oauth_mw.server"  # private: the middleware that passed a request without a token


class AnyOf(NamedTuple):
    """Scopes of which one is enough; :func:`any_of` makes it."""

    scopes: tuple[str, ...]


def any_of(*scopes: str) -> AnyOf:
    """Return the argument for :func:`refusal` and ``require_scope`` that says: one of these scopes is enough."""
    return AnyOf(scopes)


def current_token(environ: WSGIEnvironment) -> AccessToken | None:
    """Return the access token of an accepted request; ``None`` if there is none, as on a public path."""
    token: AccessToken | None = environ.get(TOKEN)
    return token


def refusal(environ: WSGIEnvironment, *needs: str | AnyOf) -> WSGIApplication | None:
    """Return a WSGI app that refuses the request, or ``None`` if its token has all that the view needs.

    The app answers as the guard does: 401 without a valid token, 403 if its scope is not enough (RFC 6750 §3.1). Call
    it with the same environ.

    :param needs: one scope in each argument, or :func:`any_of` several. Without an argument any valid token is enough.
        A text that is no scope (RFC 6749 §3.3) is one that no token has.
    """
    token = current_token(environ)
    wanted = [need.scopes if isinstance(need, AnyOf) else (need,) for need in needs]
    if token and not any(token.scopes.isdisjoint(scopes) for scopes in wanted):
        return None
    named = list(dict.fromkeys(scope for scopes in wanted for scope in scopes))
    bad = next((scope for scope in named if not SCOPE_TOKEN.fullmatch(scope)), None)
    if bad is None:
        needed, reason = " ".join(named), "the token's scope is not enough for the view"
    else:
        needed, reason = "", f"{bad!r}, which the view needs, is not a scope"
    if token:
        return _refuse(InsufficientScope, needed, reason, _shown(needs))
    kind = InvalidToken if environ.get(ERROR) == InvalidToken.error else MissingToken
    return _refuse(kind, needed, "the view needs a token, and the request passed without a valid one", _shown(needs))


def forbidden(*scopes: str) -> WSGIApplication:
    """Return a WSGI app that answers as the guard does: 403, ``insufficient_scope`` (RFC 6750 §3.1).

    For views that check scopes themselves.

    :param scopes: the scope tokens that the request needs, one or several (separated by spaces) in each argument.
    :raises ConfigError: a scope has a character that RFC 6749 §3.3 does not allow.
    """
    needed = " ".join(scopes)
    if not all(" " <= c <= "~" and c not in '"\\' for c in needed):
        raise ConfigError("forbidden", "a scope may hold only the characters of RFC 6749 §3.3")

    return _refuse(InsufficientScope, needed, "the view forbids it", needed)


def _shown(needs: Iterable[str | AnyOf]) -> str:
    """What a view needs, for the log, in the notation of a rule."""
    all_of = " ".join(need for need in needs if isinstance(need, str))
    any_ofs = ["any of " + " ".join(need.scopes) for need in needs if isinstance(need, AnyOf)]
    return " and ".join(filter(None, [all_of, *any_ofs]))


def _refuse(kind: type[BearerError], scope: str, reason: str, needed: str) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        token, server = current_token(environ), _server(environ)
        client_id, token_id = (token.client_id, token.token_id) if token else ("", "")
        error = kind(reason, kind.prepare(server.challenge, scope, server.header), client_id, token_id, needed)
        return server.refuse(error, environ, start_response)

    return app


def challenge_of(environ: WSGIEnvironment) -> str:
    """Return the challenge for a 401 of the app itself (RFC 6750 §3), for a request that passed without a token."""
    server = _server(environ)
    return server.invalid if environ.get(ERROR) == InvalidToken.error else server.challenge


def _server(environ: WSGIEnvironment) -> Server:
    """The innermost middleware that passed this request."""
    token = current_token(environ)
    server = token.server if token else environ.get(SERVER)
    return server if isinstance(server, Server) else NO_SERVER
