"""JWT access tokens (RFC 9068), which others can check without asking us.

No row is written for them. What ends one early stands in the revocation log, where a token has
the same storage key as an opaque one: four bytes of expiry and 28 of a SHA-256, here of its
``jti``, because a signature of ECDSA can be rewritten into another that is as good.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import InvalidScope, InvalidTarget
from ..model import LAST_SECOND, LOG_KEEP_SECONDS, AccessToken, Client, Clock, Value
from .jws import MAX_LENGTH, Reader, Refused, SigningKey, VerifyingKey, header_of, sign
from .opaque import HasEnded, times
from .sharing import Sharing

TYPE = "at+jwt"
# Its client's ``revoked_before`` as read at the issue: whole seconds cannot say whether a revocation came before it.
POSITION = "oauth_mw_position"
JTI_BYTES = 16

_OURS = frozenset({"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "nbf", "jti", POSITION})


class Keys(Protocol):
    def find(self, kid: str) -> VerifyingKey | None:
        """A key whose tokens are good."""

    def signing(self, expires_at: int) -> SigningKey:
        """The key that signs now, which others will find until ``expires_at`` at least."""

    def forget(self) -> None:
        """Believe no key before it was looked up again."""


class JWTTokens:
    """Issue and read JWT access tokens. Whom they are for is the caller's to judge.

    :param issuer: ``iss`` of all of them, exactly (RFC 9068 §4); ``None`` where the key says enough.
    :param end: end such a token; false when it had ended before.
    :param leeway: seconds by which the clocks of issuers may differ from this one.
    :param challenge: how the challenges of this server begin; handed on with every token.
    :param sharing: what tokens have in common.
    """

    def __init__(
        self,
        keys: Keys,
        clock: Clock,
        *,
        issuer: str | None,
        is_revoked: HasEnded,
        end: Callable[[str, bytes, int], bool],
        leeway: float,
        challenge: str,
        sharing: Sharing | None = None,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._has_ended = is_revoked
        self._end = end
        self._leeway = leeway
        self._challenge = challenge
        self._sharing = sharing or Sharing()
        self._open = Reader(TYPE, keys.find).open
        self._headers: dict[str, bytes] = {}

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]
    ) -> tuple[str, AccessToken]:
        """Make and return a token (RFC 9068 §2) that is good for at least ``lifetime`` seconds.

        :raises InvalidScope: it would be too long to be read.
        :raises InvalidTarget: the same, and most of that is whom it is for.
        :raises StoreUnavailable: there is no key to sign it with, or the clock is out of range.
        """
        now, expires_at = times(self._clock(), lifetime)
        key = self._keys.signing(expires_at)
        # The client's own first, so that none can take the place of what follows.
        members: dict[str, object] = {
            **{name: client.attributes[name] for name in client.public_attributes},
            "iss": self._issuer,
            "sub": client.client_id,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "client_id": client.client_id,
            "iat": now,
            "exp": expires_at,
            "jti": secrets.token_urlsafe(JTI_BYTES),
            POSITION: client.revoked_before,
        }
        if scopes:
            members["scope"] = " ".join(scopes)
        text = sign(self._header(key), members, key)
        if len(text) > MAX_LENGTH:
            refusal = InvalidTarget if sum(map(len, audience)) > sum(map(len, scopes)) else InvalidScope
            raise refusal("the token would be too long", client.client_id)
        return text, self._token(members, tuple(audience))

    def read(self, text: str) -> AccessToken | None:
        """The live token that ``text`` is, or ``None``.

        :raises StoreUnavailable: it cannot be told.
        """
        now = self._clock()
        token, lives = self._find(text, now - self._leeway, now + self._leeway) or (None, False)
        return token if lives else None

    def known(self, text: str) -> tuple[AccessToken, bool] | None:
        """The token that ``text`` is, unless no machine accepts it any more for its time, and whether it lives; or
        ``None``. One that is not good yet (``nbf``) but will be can be revoked.

        :raises StoreUnavailable: it cannot be told.
        """
        return self._find(text, self._clock() - LOG_KEEP_SECONDS)

    def revoke(self, token: AccessToken) -> bool:
        """End a token; false when it had ended before.

        :raises StoreUnavailable: it is not known to be ended.
        """
        return self._end(token.client_id, bytes.fromhex(token.token_id), token.position)

    def _find(self, text: str, over: float, begun: float | None = None) -> tuple[AccessToken, bool] | None:
        try:
            members = self._open(text)
            token = self._token(members, self._checked(members, over, begun))
        except Refused:
            return None
        return token, not self._has_ended(bytes.fromhex(token.token_id), token.client_id, token.position)

    def _header(self, key: SigningKey) -> bytes:
        header = self._headers.get(key.kid)
        if header is None:
            header = self._headers[key.kid] = header_of(key, TYPE)
        return header

    def _checked(self, members: Mapping[str, Any], over: float, begun: float | None) -> tuple[str, ...]:
        """The audience of a token of ours that is good at its time (RFC 9068 §4, RFC 7519 §4.1).

        :param over: the Unix second until which what expires has expired.
        :param begun: the Unix second until which what is good from then on (``nbf``) is good already; ``None``: as long
            as some machine's clock, with the leeway, accepts it.
        :raises Refused: anything else.
        """
        if self._issuer is not None and members.get("iss") != self._issuer:
            raise Refused("another issuer")
        audience = _audience(members.get("aud"))
        expires_at = _seconds(members, "exp")
        if expires_at <= over:
            raise Refused("expired")
        _seconds(members, "iat")
        begun = expires_at + 2 * self._leeway if begun is None else begun
        if "nbf" in members and _seconds(members, "nbf") > begun:
            raise Refused("not yet good")
        if not _text(members, "client_id") or members.get("sub") != members["client_id"]:
            raise Refused("sub is not the client")
        if not _text(members, "jti"):
            raise Refused("no jti")
        if "scope" in members and not _text(members, "scope"):
            raise Refused("scope is no text")
        if type(members.get(POSITION)) is not int:
            raise Refused("no position")
        return audience

    def _token(self, members: Mapping[str, Any], audience: tuple[str, ...]) -> AccessToken:
        scope, scopes = self._sharing.scope(members.get("scope", ""))
        others: Mapping[str, Value] = {name: value for name, value in members.items() if name not in _OURS}
        attributes, public = self._sharing.attributes(MappingProxyType(others), frozenset(others))
        return AccessToken(
            client_id=self._sharing.one(members["client_id"]),
            scope=scope,
            scopes=scopes,
            token_id=storage_key(members["exp"], members["jti"]).hex(),
            issued_at=members["iat"],
            expires_at=members["exp"],
            audience=self._sharing.one(audience),
            attributes=attributes,
            public_attributes=public,
            challenge=self._challenge,
            position=members[POSITION],
        )


def storage_key(expires_at: int, jti: str) -> bytes:
    return expires_at.to_bytes(4) + sha256(jti.encode()).digest()[:28]


def _audience(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(each, str) and each for each in values):
        raise Refused("aud is no list of texts")
    return tuple(values)


def _seconds(members: Mapping[str, Any], name: str) -> int:
    """A NumericDate; ours are whole seconds. ``bool`` is an ``int`` to Python alone."""
    value = members.get(name)
    if type(value) is not int or not 0 <= value <= LAST_SECOND:
        raise Refused(f"{name} is no time")
    return value


def _text(members: Mapping[str, Any], name: str) -> bool:
    value = members.get(name)
    return isinstance(value, str) and bool(value)
