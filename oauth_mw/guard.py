"""The guard in front of the app: it checks the bearer token of each request, and its scope (RFC 6750).

It reads the environ directly. If the token is cached, it does no I/O and creates no objects. What depends on the
configuration alone is decided at start-up, or at the first request with the same method and path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .environ import CLIENT_ID, ERROR, SCOPE, TOKEN
from .errors import AmbiguousPath, Answer, BearerError, InsufficientScope, InvalidToken, MissingToken, MovedRoot
from .model import AccessToken, Clock
from .rules import AMBIGUOUS, NO_METHOD, PUBLIC, Access
from .tokens.cache import TokenCache

# A further condition on an accepted token and its request: it raises a refusal, or returns.
Check = Callable[[WSGIEnvironment, AccessToken], None]

# RFC 6750 §2.1, with the white space that RFC 9110 §11.4 and §5.5 allow.
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)[ \t]*", re.ASCII)
_BEARER_SCHEME = re.compile(r"bearer(?![!#$%&'*+.^_`|~0-9A-Za-z-])", re.ASCII | re.IGNORECASE)

_IDENTITY_KEYS = (TOKEN, CLIENT_ID, SCOPE, ERROR)
_IDENTITY_KEYS_AND_USER = (*_IDENTITY_KEYS, "REMOTE_USER", "AUTH_TYPE")

MAX_VALUE = 16_384  # no valid token is half as long
MEMO_ENTRIES = 4096
MEMO_LENGTH = 512  # of a method and path


@dataclass(eq=False, repr=False)
class Guard:
    """Let a request pass, with its identity in the environ, or raise a refusal.

    :param decide: returns what a request needs by the rules, from its method and raw ``PATH_INFO``.
    :param challenge: the beginning of every challenge of this server.
    :param delay: where no rule names the path, pass requests without a valid token, with the error code in the environ.
    :param remote_user: also set ``REMOTE_USER`` and ``AUTH_TYPE``.
    :param strip_authorization: remove the Authorization header of accepted requests.
    :param preflight: pass CORS preflights, without an identity.
    :param trust_vhm_root: accept the header ``X-Vhm-Root``, from which Pyramid's traversal starts.
    :param checks: run in order, after the checks of token and scope.
    """

    decide: Callable[[str, str], Access]
    tokens: TokenCache
    clock: Clock
    _: KW_ONLY
    challenge: str
    delay: bool = False
    remote_user: bool = False
    strip_authorization: bool = False
    preflight: bool = False
    trust_vhm_root: bool = False
    checks: Sequence[Check] = ()

    def __post_init__(self) -> None:
        self._cached = self.tokens.cached
        if self.remote_user or self.strip_authorization:
            self.checks = (*self.checks, self._adapt)  # last: a refused request keeps its environ
        self._memo: dict[tuple[str, str], Access] = {}
        self._answers: dict[tuple[type[BearerError], str], Answer] = {}

    def __call__(self, environ: WSGIEnvironment) -> None:
        """Check one request, and set its environ keys.

        :raises BearerError: it is refused.
        :raises StoreUnavailable: the state of its token cannot be read.
        """
        target = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        access = self._memo.get(target) or self._decide(target)
        if environ.get("HTTP_X_VHM_ROOT") and not self.trust_vhm_root:
            raise self._refusal(MovedRoot, access, "the header X-Vhm-Root, and trust_vhm_root is off")
        if access is PUBLIC:
            self._forget(environ)
            return
        if access is AMBIGUOUS:
            raise self._refusal(AmbiguousPath, access, "an ambiguous path")
        value = environ.get("HTTP_AUTHORIZATION")
        if value is None and self.preflight and _is_preflight(environ):
            self._forget(environ)
            return
        try:
            if value is None:
                raise self._refusal(MissingToken, access, "no Authorization header")
            token = self._cached(value)
            if token is None or token.expires_at <= self.clock():
                token = self._verified(value, access)
        except BearerError as refusal:
            # Keep no reference to the error: its traceback refers to this frame, and so to the environ.
            if access.named or not self.delay:
                raise
            self._forget(environ)
            environ[ERROR] = refusal.error
            return
        if access.scopes or access is NO_METHOD:
            self._check_scope(token, access)
        for check in self.checks:
            check(environ, token)
        environ.pop(ERROR, None)
        environ[TOKEN] = token
        environ[CLIENT_ID] = token.client_id
        environ[SCOPE] = token.scope

    def _decide(self, target: tuple[str, str]) -> Access:
        """Look up the rules, and cache the decision. The cache is bounded, because clients can invent paths."""
        access = self.decide(*target)
        if len(target[0]) + len(target[1]) <= MEMO_LENGTH:
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo = {}
            self._memo[target] = access
        return access

    def _verified(self, value: str, access: Access) -> AccessToken:
        """The live token of an Authorization value that is not cached."""
        match = _BEARER.fullmatch(value) if len(value) <= MAX_VALUE else None
        if match is None:
            if _BEARER_SCHEME.match(value):
                raise self._refusal(InvalidToken, access, "malformed Authorization header")
            raise self._refusal(MissingToken, access, "another Authorization scheme")
        token = self.tokens.find("Bearer " + match[1], match[1])
        if token is None or token.expires_at <= self.clock():
            raise self._refusal(InvalidToken, access, "unknown, expired or revoked token")
        return token

    def _check_scope(self, token: AccessToken, access: Access) -> None:
        enough = not token.scopes.isdisjoint(access.scopes) if access.any_of else token.scopes >= access.scopes
        if access is NO_METHOD or not enough:
            raise self._refusal(InsufficientScope, access, "the token's scope is not enough", token.client_id)

    def _adapt(self, environ: WSGIEnvironment, token: AccessToken) -> None:
        if self.remote_user:
            environ["REMOTE_USER"] = token.client_id
            environ["AUTH_TYPE"] = "Bearer"
        if self.strip_authorization:
            del environ["HTTP_AUTHORIZATION"]

    def _forget(self, environ: WSGIEnvironment) -> None:
        """Remove the keys that only an accepted token may set; a server or middleware outside may have set them."""
        for key in _IDENTITY_KEYS_AND_USER if self.remote_user else _IDENTITY_KEYS:
            environ.pop(key, None)

    def _refusal(self, kind: type[BearerError], access: Access, reason: str, client_id: str = "") -> BearerError:
        answer = self._answers.get((kind, access.scope))
        if answer is None:
            answer = self._answers[kind, access.scope] = kind.prepare(self.challenge, access.scope)
        return kind(reason, answer, client_id)


def _is_preflight(environ: WSGIEnvironment) -> bool:
    headers = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return headers and environ["REQUEST_METHOD"] == "OPTIONS"


class ChallengingApp:
    """For ``delay_auth_decision``: wraps the app and adds ``WWW-Authenticate`` to a 401 without one (RFC 9110 §15.5.2).

    :param challenge: the beginning of every challenge of this server.
    """

    def __init__(self, app: WSGIApplication, challenge: str) -> None:
        self._app = app
        self._missing = challenge
        self._invalid = f'{challenge}, error="{InvalidToken.error}"'

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        challenge = self._invalid if environ.get(ERROR) == InvalidToken.error else self._missing

        def challenging(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if status.startswith("401") and all(name.lower() != "www-authenticate" for name, _ in headers):
                headers = [*headers, ("WWW-Authenticate", challenge)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._app(environ, challenging)
