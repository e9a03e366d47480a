"""Opaque tokens: 256 random bits behind the four bytes of their expiry.

The store has a token by its storage key: four bytes of expiry, and 28 of the text's SHA-256. The expiry in a text is
not trusted until the row is found. It only lets most made-up texts be refused without a read of the store.
"""

from __future__ import annotations

import re
import secrets
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from hashlib import sha256
from itertools import count
from math import ceil, floor

from ..errors import EXPIRED, StoreUnavailable, TokenRefused
from ..model import LAST_SECOND, LOG_KEEP_SECONDS, MAX_LIFETIME, AccessToken, Client, Clock, Issued, TokenRecord
from ..processes import PerProcess
from ..protocols import Store
from ..quotas import Quotas, has_quota
from ..server import NO_SERVER, Server
from .revoking import revoke_row
from .sharing import Sharing

CLOCK_SLACK = 24 * 3600  # seconds by which an expiry may exceed the longest lifetime: clocks of machines differ
SWEEP_EVERY = 100
SWEEP_LIMIT = 500
# Seconds for which the row of an expired token is kept: if this machine's clock is ahead, others still accept it.
CLOCK_MARGIN = 60

_ENCODED_LENGTH = 48
# RFC 6750 §2.1: the b64token characters that a prefix may have, then those of base64url. One pattern of both would try
# every length of the prefix.
_PREFIX = re.compile(r"[A-Za-z0-9._~+/-]{1,32}", re.ASCII)
_ENCODED = re.compile(r"[A-Za-z0-9_-]{48}", re.ASCII)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")

# True if the token with this storage key, client, position (see TokenRecord) and second of its issue is revoked.
IsRevoked = Callable[[bytes, str, int, int], bool]


@dataclass(eq=False, repr=False)
class OpaqueTokens:
    """Issues and reads opaque tokens; a :class:`~oauth_mw.tokens.formats.Format`.

    :param prefix: the beginning of every issued token, so that secret scanners can find leaked ones. Tokens that were
        issued with another prefix stay valid.
    :param server: the middleware that these are the tokens of; each token carries it.
    :param is_revoked: says whether a token is revoked, where its row does not show it; ``None`` if rows show all.
    :param leeway: seconds for which a token is accepted after its expiry.
    :param quotas: ``None`` to count no tokens.
    """

    store: Store
    clock: Clock
    prefix: str
    _: KW_ONLY
    server: Server = NO_SERVER
    is_revoked: IsRevoked | None = None
    leeway: float = 0
    sharing: Sharing = field(default_factory=Sharing)
    quotas: Quotas | None = None

    def __post_init__(self) -> None:
        # A sweep is due at every hundredth token. The count starts at random, in each process anew: a worker may issue
        # fewer tokens than that, and all workers are forked from one process.
        self._issued = PerProcess(lambda: count(secrets.randbelow(SWEEP_EVERY)))

    def issue(self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str] = ()) -> Issued:
        """Issue and store a token (RFC 6749 §4.4.3).

        :raises StoreUnavailable: it could not be stored, or the clock is out of range.
        :raises TooManyRequests: see :meth:`oauth_mw.quotas.Quotas.take`.
        """
        now, expires_at = times(self.clock(), lifetime, client.not_after)
        raw = expires_at.to_bytes(4) + secrets.token_bytes(32)
        text = self.prefix + b2a_base64(raw, newline=False).translate(_TO_URL).decode()
        key = _key(text.encode(), raw)
        record = TokenRecord(
            client.client_id,
            " ".join(scopes),
            now,
            client.revoked_before,
            client.attributes,
            client.public_attributes,
            tuple(audience),
        )
        if self.quotas is None or not has_quota(client):
            self.store.add_token(key, record)
        else:
            self.quotas.take(client, partial(self.store.add_token, key, record))
        if next(self._issued.get()) % SWEEP_EVERY == 0:
            with suppress(StoreUnavailable):  # the token is stored, and a later sweep removes the rows
                self.store.sweep(now - CLOCK_MARGIN, SWEEP_LIMIT)
        return Issued(text, key.hex(), expires_at, record.audience)

    def read(self, text: str, *, anew: bool = False) -> AccessToken:
        key, now = storage_key(text), self.clock() - self.leeway
        if key is None:
            raise TokenRefused("not in the form of a token")
        expires_at = int.from_bytes(key[:4])
        if expires_at <= now:
            raise TokenRefused(EXPIRED, key.hex())
        if expires_at > now + MAX_LIFETIME + CLOCK_SLACK:
            raise TokenRefused("unknown token, with an expiry beyond any lifetime", key.hex())
        found = self._find(key)
        if found is None:
            raise TokenRefused("unknown token", key.hex())
        return live(*found)

    def find(self, text: str) -> tuple[AccessToken, bool] | None:
        """Also finds a token whose expiry is impossible by this machine's clock, which may be wrong."""
        key = storage_key(text)
        return None if key is None else self._find(key)

    def _find(self, key: bytes) -> tuple[AccessToken, bool] | None:
        record = self.store.find_token(key)
        if record is None:
            return None
        is_revoked = record.revoked
        if self.is_revoked is not None and not is_revoked:
            is_revoked = self.is_revoked(key, record.client_id, record.position, record.issued_at)
        return self.sharing.token(key, record, self.server), not is_revoked

    def revoke(self, token: AccessToken) -> bool:
        return revoke_row(self.store, bytes.fromhex(token.token_id), token.client_id)

    def revoke_unknown(self, text: str, caller: str) -> None:
        """Have all workers drop a token without a row from their caches.

        A machine whose clock is ahead may have swept the row while others still accept the token. The text may as well
        be made up: unless it expires within a day of now, nothing is logged, so the event is deleted in two days.
        """
        key = storage_key(text)
        if key is not None and abs(int.from_bytes(key[:4]) - self.clock()) <= LOG_KEEP_SECONDS:
            revoke_row(self.store, key, caller)


def live(token: AccessToken, is_live: bool) -> AccessToken:
    """Return the token, or raise ``TokenRefused`` if it is revoked."""
    if not is_live:
        raise TokenRefused("revoked token", token.token_id, token.client_id)
    return token


def times(now: float, lifetime: int, not_after: int | None = None) -> tuple[int, int]:
    """``iat`` and ``exp`` of a token that is issued now, in whole seconds.

    ``iat`` is rounded down, so that services that check it accept the token at once; ``exp`` is rounded up, so that the
    token lives for at least ``lifetime``.

    :param not_after: that of the client, in Unix seconds, which ``exp`` does not exceed.
    :raises StoreUnavailable: the expiry does not fit into four bytes.
    """
    issued_at, expires_at = floor(now), ceil(now + lifetime)
    if not_after is not None and not_after < expires_at:
        expires_at = max(not_after, issued_at + 1)  # it may have passed since the client was authenticated
    if not 0 <= issued_at < expires_at <= LAST_SECOND:
        raise StoreUnavailable("this machine's clock is wrong: tokens cannot expire before 1970 or after 2105")
    return issued_at, expires_at


def storage_key(text: str) -> bytes | None:
    """The storage key of a token, whatever its expiry; ``None`` if ``text`` is no opaque token."""
    start = len(text) - _ENCODED_LENGTH
    if not _ENCODED.fullmatch(text, start) or (start and not _PREFIX.fullmatch(text, 0, start)):
        return None
    encoded = text.encode()
    # Eight characters are six bytes: the expiry and two more.
    return _key(encoded, a2b_base64(encoded[start : start + 8].translate(_FROM_URL)))


def _key(text: bytes, raw: bytes) -> bytes:
    return raw[:4] + sha256(text).digest()[:28]
