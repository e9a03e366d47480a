"""JWT access tokens (RFC 9068), which other services can verify by themselves.

No row is stored for them. Revoked ones are in the revocation log, by a storage key like that of an opaque token: four
bytes of expiry and 28 of the SHA-256, here of the ``jti``, because an ECDSA signature can be rewritten into another
valid one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import EXPIRED, InvalidScope, InvalidTarget, TokenRefused
from ..model import LAST_SECOND, LOG_KEEP_SECONDS, AccessToken, Client, Clock, Issued, TokenRecord
from ..server import NO_SERVER, Server
from .jws import MAX_JWS_LENGTH, Reader, header_of, sign
from .opaque import IsRevoked, live, times
from .sharing import Sharing

if TYPE_CHECKING:
    from ..keys.keypair import Key

TYPE = "at+jwt"
# The client's ``revoked_before`` at the issue: the whole seconds of ``iat`` cannot be compared with an event.
POSITION = "oauth_mw_position"
JTI_BYTES = 16

_REGISTERED = frozenset({"iss", "sub", "aud", "client_id", "scope", "iat", "exp", "nbf", "jti", POSITION})


class Keys(Protocol):
    """The signing keys of this server, as :class:`~oauth_mw.keys.ring.KeyRing` has them."""

    def find(self, kid: str, *, anew: bool = False) -> Key | None: ...

    def signing(self, expires_at: int) -> Key: ...

    def forget(self) -> None: ...


@dataclass(eq=False, repr=False)
class JWTTokens:
    """Issues and reads JWT access tokens; a :class:`~oauth_mw.tokens.formats.Format`.

    :param issuer: ``iss`` of all tokens, compared exactly (RFC 9068 §4); ``None``: any, if the signature is good.
    :param is_revoked: says whether a token is revoked.
    :param revoke_log_only: revokes the token of a client, storage key, position and second of its issue; false if it
        was revoked before.
    :param leeway: seconds by which clocks of issuing machines may differ from this one.
    :param server: the middleware that these are the tokens of; each token carries it.
    """

    keys: Keys
    clock: Clock
    _: KW_ONLY
    issuer: str | None
    is_revoked: IsRevoked
    revoke_log_only: Callable[[str, bytes, int, int], bool]
    leeway: float
    server: Server = NO_SERVER
    sharing: Sharing = field(default_factory=Sharing)

    def __post_init__(self) -> None:
        self._readers = Reader(TYPE, self.keys.find), Reader(TYPE, partial(self.keys.find, anew=True))
        self._headers: dict[str, bytes] = {}

    def issue(self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]) -> Issued:
        """Issue a token (RFC 9068 §2).

        :raises InvalidScope: it would be longer than this server reads.
        :raises InvalidTarget: the same, and its audience is longer than its scope.
        :raises StoreUnavailable: there is no key to sign it with, or the clock is out of range.
        """
        now, expires_at = times(self.clock(), lifetime, client.not_after)
        key, jti = self.keys.signing(expires_at), secrets.token_urlsafe(JTI_BYTES)
        members: dict[str, object] = {
            **{name: client.attributes[name] for name in client.public_attributes},  # first: ours replace them
            "iss": self.issuer,
            "sub": client.client_id,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "client_id": client.client_id,
            "iat": now,
            "exp": expires_at,
            "jti": jti,
            POSITION: client.revoked_before,
        }
        if scopes:
            members["scope"] = " ".join(scopes)
        if key.kid not in self._headers:
            self._headers[key.kid] = header_of(key, TYPE)
        text = sign(self._headers[key.kid], members, key)
        if len(text) > MAX_JWS_LENGTH:
            refusal = InvalidTarget if sum(map(len, audience)) > sum(map(len, scopes)) else InvalidScope
            raise refusal("the token would be too long", client.client_id)
        return Issued(text, storage_key(expires_at, jti).hex(), expires_at, tuple(audience))

    def read(self, text: str, *, anew: bool = False) -> AccessToken:
        now = self.clock()
        return live(*self._verified(text, now - self.leeway, now + self.leeway, anew=anew))

    def find(self, text: str) -> tuple[AccessToken, bool] | None:
        """Also finds a token before its ``nbf``, so that it can be revoked before it is valid."""
        try:
            return self._verified(text, self.clock() - LOG_KEEP_SECONDS)
        except TokenRefused:
            return None

    def revoke(self, token: AccessToken) -> bool:
        return self.revoke_log_only(token.client_id, bytes.fromhex(token.token_id), token.position, token.issued_at)

    def revoke_unknown(self, text: str, caller: str) -> None:
        """Do nothing: a token whose key is not in the store is accepted nowhere."""

    def _verified(
        self, text: str, expired: float, begun: float | None = None, *, anew: bool = True
    ) -> tuple[AccessToken, bool]:
        members = self._readers[anew].open(text)
        token = self._token(members, self._check(members, expired, begun))
        key = bytes.fromhex(token.token_id)
        return token, not self.is_revoked(key, token.client_id, token.position, token.issued_at)

    def _check(self, members: Mapping[str, Any], expired: float, begun: float | None) -> tuple[str, ...]:
        """Check the claims of a token (RFC 9068 §4, RFC 7519 §4.1). Return its audience.

        :param expired: refuse an ``exp`` up to this Unix second.
        :param begun: refuse an ``nbf`` after this Unix second; ``None``: after all machines' clocks, with their leeway,
            take the token for expired.
        :raises TokenRefused: a claim is missing, malformed, or not that of a valid token.
        """
        if self.issuer is not None and members.get("iss") != self.issuer:
            raise TokenRefused("another issuer")
        audience = _audience(members.get("aud"))
        expires_at = _seconds(members, "exp")
        _seconds(members, "iat")
        if "nbf" in members and _seconds(members, "nbf") > (expires_at + 2 * self.leeway if begun is None else begun):
            raise TokenRefused("not yet valid")
        if _text(members, "client_id") != members.get("sub"):
            raise TokenRefused("sub is not the client")
        _text(members, "jti")
        if "scope" in members:
            _text(members, "scope")
        if type(members.get(POSITION)) is not int:
            raise TokenRefused("no position")
        if expires_at <= expired:
            raise TokenRefused(EXPIRED, storage_key(expires_at, members["jti"]).hex(), members["client_id"])
        return audience

    def _token(self, members: Mapping[str, Any], audience: tuple[str, ...]) -> AccessToken:
        others = {name: value for name, value in members.items() if name not in _REGISTERED}
        client_id, scope, issued_at = members["client_id"], members.get("scope", ""), members["iat"]
        attributes, public = MappingProxyType(others), frozenset(others)
        record = TokenRecord(client_id, scope, issued_at, members[POSITION], attributes, public, audience)
        return self.sharing.token(storage_key(members["exp"], members["jti"]), record, self.server)


def storage_key(expires_at: int, jti: str) -> bytes:
    return expires_at.to_bytes(4) + sha256(jti.encode()).digest()[:28]


def _audience(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(each, str) and each for each in values):
        raise TokenRefused("aud is neither a string nor a list of strings")
    return tuple(values)


def _seconds(members: Mapping[str, Any], name: str) -> int:
    """Return a NumericDate; ours are whole seconds. In Python alone, ``True`` is an ``int``."""
    value = members.get(name)
    if type(value) is not int or not 0 <= value <= LAST_SECOND:
        raise TokenRefused(f"{name} is not a time")
    return value


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not (isinstance(value, str) and value):
        raise TokenRefused(f"{name} is not a text")
    return value
