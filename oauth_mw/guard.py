"""The guard in front of the app: it checks the bearer token of each request, and its scope (RFC 6750).

It reads the environ directly. If the token is cached, it does no I/O and creates no objects. What depends on the
configuration alone is decided at start-up, or at the first request with the same method and path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .answers import Answer
from .environ import CLIENT_ID, ERROR, SCOPE, SERVER, TOKEN
from .errors import (
    EXPIRED,
    AmbiguousPath,
    BearerError,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    MovedRoot,
    NoRule,
    StoreUnavailable,
    TokenRefused,
)
from .events import DENIED
from .http import is_preflight
from .model import AccessToken, Check, Clock
from .rules import AMBIGUOUS, NO_METHOD, PUBLIC, Access
from .server import Server, environ_key
from .tokens.cache import NOT_CACHED, NotCached, TokenCache

# RFC 6750 §2.1, with the white space that RFC 9110 §11.4 and §5.5 allow; or the scheme Bearer before anything else.
_BEARER = re.compile(r"(?i:bearer)(?: +([A-Za-z0-9._~+/-]+=*)[ \t]*\Z|(?![!#$%&'*+.^_`|~0-9A-Za-z-]))", re.ASCII)

_IDENTITY_KEYS = (TOKEN, CLIENT_ID, SCOPE, ERROR, DENIED)
_IDENTITY_KEYS_AND_USER = (*_IDENTITY_KEYS, "REMOTE_USER", "AUTH_TYPE")

MAX_VALUE = 16_384  # no valid token is half as long


@dataclass(eq=False, repr=False)
class Guard:
    """Let a request pass, with its identity in the environ, or raise a refusal.

    :param server: the middleware that this is the guard of.
    :param delay: if no rule names the path, pass requests without a valid token, with the error code in the environ.
    :param remote_user: accepted requests have ``REMOTE_USER`` and ``AUTH_TYPE``, and others do not.
    :param preflight: pass CORS preflights without an identity, to :class:`~oauth_mw.cors.Cors` or the app.
    :param trust_vhm_root: accept the header ``X-Vhm-Root``, from which Pyramid's traversal starts.

    The checks of a token itself are run in order, after those of token and scope.
    """

    tokens: TokenCache
    clock: Clock
    _: KW_ONLY
    server: Server
    delay: bool = False
    remote_user: bool = False
    preflight: bool = False
    trust_vhm_root: bool = False

    def __post_init__(self) -> None:
        self._cached = self.tokens.cached
        self._key = environ_key(self.server.header)
        self._no_header = f"no {self.server.header} header"
        self._may_lack_token = self.delay or self.preflight
        self._answers: dict[tuple[type[BearerError], str], Answer] = {}

    def check(self, environ: WSGIEnvironment, access: Access) -> None:
        """Check one request, and set its environ keys.

        :param access: what the request needs by the rules.
        :raises BearerError: it is refused.
        :raises StoreUnavailable: the state of its token cannot be read.
        """
        if "HTTP_X_VHM_ROOT" in environ and environ["HTTP_X_VHM_ROOT"] and not self.trust_vhm_root:
            raise self._refusal(MovedRoot, access, "the header X-Vhm-Root, and trust_vhm_root is off")
        if access is PUBLIC:
            self._forget(environ)
            return
        if access is AMBIGUOUS:
            raise self._refusal(AmbiguousPath, access, "an ambiguous path")
        value = environ.get(self._key)
        token: Any = NOT_CACHED if value is None else self._cached(value)
        if token.expires_at <= self.clock():
            find = self._optional if self._may_lack_token else self._required
            token = find(environ, value, access, token)
            if token is None:
                return
        if not token.scopes >= access.scopes:
            self._check_some_scope(token, access)
        if token.checks:
            for check in token.checks:
                check(environ, token)
        if ERROR in environ:
            del environ[ERROR]
        if DENIED in environ:
            del environ[DENIED]
        environ[TOKEN] = token
        environ[CLIENT_ID] = token.client_id
        environ[SCOPE] = token.scope

    def _optional(
        self, environ: WSGIEnvironment, value: str | None, access: Access, cached: AccessToken | NotCached
    ) -> AccessToken | None:
        """Do the same as :meth:`_required`, or return ``None`` if the request passes without an identity."""
        if value is None and self.preflight and is_preflight(environ):
            self._forget(environ)
            return None
        try:
            return self._required(environ, value, access, cached)
        except BearerError as refusal:
            # Keep no reference to the error: its traceback refers to this frame, and so to the environ.
            if access.named or not self.delay:
                raise
            self._forget(environ)
            environ[ERROR] = refusal.error
            if isinstance(refusal, InvalidToken):
                environ[SERVER] = self.server.passing(refusal.reason, refusal.client_id, refusal.token_id)
            return None

    def _required(
        self, environ: WSGIEnvironment, value: str | None, access: Access, cached: AccessToken | NotCached
    ) -> AccessToken:
        """Return the live token of an Authorization value, or raise a refusal.

        :param cached: what the cache has for the value: nothing, or a token that has expired.
        """
        if value is None:
            raise self._refusal(MissingToken, access, self._no_header)
        match = _BEARER.match(value)
        if match is None:
            raise self._refusal(MissingToken, access, f"another {self.server.header} scheme")
        text = match[1]
        if text is None or len(value) > MAX_VALUE:
            raise self._refusal(InvalidToken, access, f"malformed {self.server.header} header")
        try:
            plain = "Bearer " + text
            digest = cached.digest if value == plain and isinstance(cached, NotCached) else b""
            token = self.tokens.find(plain, text, digest)
            if token.expires_at > self.clock():
                return token
            reason, client_id, token_id = EXPIRED, token.client_id, token.token_id
        except TokenRefused as refused:
            reason, client_id, token_id = refused.reason, refused.client_id, refused.token_id
        raise self._refusal(InvalidToken, access, reason, client_id, token_id)

    def _check_some_scope(self, token: AccessToken, access: Access) -> None:
        """Refuse a token without all scopes of ``access``, unless one of them is enough."""
        if access is NO_METHOD:
            raise self._refusal(NoRule, access, "no rule for the method", token.client_id, token.token_id)
        if not access.any_of or token.scopes.isdisjoint(access.scopes):
            reason = "the token's scope is not enough"
            raise self._refusal(InsufficientScope, access, reason, token.client_id, token.token_id)

    def _forget(self, environ: WSGIEnvironment) -> None:
        """Remove the keys that only an accepted token may set; a server or middleware outside may have set them.

        A view that refuses the request finds how in the environ, because there is no token that carries it.
        """
        for key in _IDENTITY_KEYS_AND_USER if self.remote_user else _IDENTITY_KEYS:
            environ.pop(key, None)
        environ[SERVER] = self.server

    def _refusal(
        self, kind: type[BearerError], access: Access, reason: str, client_id: str = "", token_id: str = ""
    ) -> BearerError:
        answer = self._answers.get((kind, access.scope))
        if answer is None:
            answer = kind.prepare(self.server.challenge, access.scope, self.server.header)
            self._answers[kind, access.scope] = answer
        needed = "any of " + access.scope if access.any_of else access.scope
        return kind(reason, answer, client_id, token_id, needed)


def in_one_process(check: Callable[[WSGIEnvironment, Access], None]) -> Callable[[WSGIEnvironment, Access], None]:
    """Return the check in front of ``memory://``, of which each of several worker processes has one of its own."""

    def check_process(environ: WSGIEnvironment, access: Access) -> None:
        if environ.get("wsgi.multiprocess"):
            raise several_processes()
        check(environ, access)

    return check_process


def several_processes() -> StoreUnavailable:
    return StoreUnavailable("memory:// cannot serve several processes: use sqlite:///file")


def adapting(header: str, *, remote_user: bool, strip_authorization: bool) -> tuple[Check, ...]:
    """Return what changes the environ of an accepted request, as the last of its checks: a refused one keeps its own.

    :param header: the name of the header with the token.
    :param remote_user: set ``REMOTE_USER`` and ``AUTH_TYPE``.
    :param strip_authorization: remove the header.
    """
    key = environ_key(header)

    def adapt(environ: WSGIEnvironment, token: AccessToken) -> None:
        if remote_user:
            environ["REMOTE_USER"] = token.client_id
            environ["AUTH_TYPE"] = "Bearer"
        if strip_authorization:
            del environ[key]

    return (adapt,) if remote_user or strip_authorization else ()


class ChallengingApp:
    """For ``delay_auth_decision``: wraps the app and adds ``WWW-Authenticate`` to a 401 without one (RFC 9110 §15.5.2).

    :param server: the middleware whose challenge it adds.
    """

    def __init__(self, app: WSGIApplication, server: Server) -> None:
        self._app = app
        self._missing = server.challenge
        self._invalid = server.invalid

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        challenge = self._invalid if environ.get(ERROR) == InvalidToken.error else self._missing

        def challenging(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if status.startswith("401") and all(name.lower() != "www-authenticate" for name, _ in headers):
                headers = [*headers, ("WWW-Authenticate", challenge)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._app(environ, challenging)
