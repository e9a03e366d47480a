"""JWT access tokens (RFC 9068), which others can check without asking us.

No row is written for them. What ends one early stands in the revocation log, where a token has
the same storage key as an opaque one: four bytes of expiry and 28 of a SHA-256, here of its
``jti``, because a signature of ECDSA can be rewritten into another that is as good.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import StoreUnavailable
from ..model import EMPTY, LAST_SECOND, AccessToken, Client, Clock, Value
from .jws import MIN_LENGTH, Reader, Refused, SigningKey, VerifyingKey, header_of, sign

TYPE = "at+jwt"
# Which of two events came first is not to be told from whole seconds: where the log stood when the client was read.
POSITION = "oauth_mw_position"
JTI_BYTES = 16

_OURS = frozenset({"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "nbf", "jti", POSITION})


class Keys(Protocol):
    def find(self, kid: str) -> VerifyingKey | None:
        """A key whose tokens are good."""

    def signing(self, expires_at: int) -> SigningKey:
        """The key that signs now, which others will find until ``expires_at`` at least."""


HasEnded = Callable[[bytes, str, int], bool]


class JWTTokens:
    """Issue and read JWT access tokens.

    :param issuer: ``iss`` of all of them, exactly (RFC 9068 §4).
    :param audience: what this resource server is called; one of them must be in ``aud``.
    :param has_ended: whether the token with this storage key, of this client, issued at this position, was ended.
    :param leeway: seconds by which the clocks of issuers may differ from this one.
    :param challenge: how the challenges of this server begin; handed on with every token.
    """

    def __init__(
        self,
        keys: Keys,
        clock: Clock,
        *,
        issuer: str,
        audience: Collection[str],
        has_ended: HasEnded,
        leeway: float,
        challenge: str,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = frozenset(audience)
        self._has_ended = has_ended
        self._leeway = leeway
        self._challenge = challenge
        self._open = Reader(TYPE, keys.find).open
        self._headers: dict[str, bytes] = {}

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]
    ) -> tuple[str, AccessToken]:
        """Make and return a token (RFC 9068 §2) that ends ``lifetime`` seconds from now.

        :raises StoreUnavailable: there is no key to sign it with.
        """
        now = int(self._clock())
        if not 0 <= now <= LAST_SECOND - lifetime:
            raise StoreUnavailable("the clock is out of the range of a token's expiry")
        key = self._keys.signing(now + lifetime)
        members: dict[str, object] = {
            "iss": self._issuer,
            "sub": client.client_id,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "client_id": client.client_id,
            "iat": now,
            "exp": now + lifetime,
            "jti": secrets.token_urlsafe(JTI_BYTES),
            POSITION: client.position,
        }
        if scopes:
            members["scope"] = " ".join(scopes)
        members.update((name, client.attributes[name]) for name in client.public_attributes)
        return sign(self._header(key), members, key), self._token(members, tuple(audience))

    def read(self, text: str) -> AccessToken | None:
        """The live token that ``text`` is, or ``None``.

        :raises StoreUnavailable: it cannot be told.
        """
        try:
            members = self._open(text)
            token = self._token(members, self._checked(members))
        except Refused:
            return None
        ended = self._has_ended(bytes.fromhex(token.token_id), token.client_id, members[POSITION])
        return None if ended else token

    def _header(self, key: SigningKey) -> bytes:
        header = self._headers.get(key.kid)
        if header is None:
            header = self._headers[key.kid] = header_of(key, TYPE)
        return header

    def _checked(self, members: Mapping[str, Any]) -> tuple[str, ...]:
        """The audience of a token that is one for us, and now (RFC 9068 §4, RFC 7519 §4.1).

        :raises Refused: anything else.
        """
        now = self._clock()
        if members.get("iss") != self._issuer:
            raise Refused("another issuer")
        audience = _audience(members.get("aud"))
        if self._audience.isdisjoint(audience):
            raise Refused("another audience")
        if _seconds(members, "exp") + self._leeway <= now:
            raise Refused("expired")
        _seconds(members, "iat")
        if "nbf" in members and _seconds(members, "nbf") - self._leeway > now:
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
        scope = members.get("scope", "")
        others: Mapping[str, Value] = {name: members[name] for name in members.keys() - _OURS}
        return AccessToken(
            client_id=members["client_id"],
            scope=scope,
            scopes=frozenset(scope.split()),
            token_id=storage_key(members["exp"], members["jti"]).hex(),
            issued_at=members["iat"],
            expires_at=members["exp"],
            audience=audience,
            attributes=MappingProxyType(others) if others else EMPTY,
            public_attributes=frozenset(others),
            challenge=self._challenge,
        )


def is_jwt(text: str) -> bool:
    """Whether a text has the form of a JWT, and cannot be an opaque token."""
    return len(text) >= MIN_LENGTH and text.count(".") == 2


def storage_key(expires_at: int, jti: str) -> bytes:
    return expires_at.to_bytes(4) + sha256(jti.encode()).digest()[:28]


def _audience(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) and each for each in values):
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
