"""Opaque tokens: 256 random bits behind the four bytes of their expiry.

The store has a token by its storage key: four bytes of expiry, and 28 of the text's SHA-256. The expiry in a text is
not trusted until the row is found. It only lets most made-up texts be refused without a read of the store.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from hashlib import sha256
from itertools import count
from math import ceil, floor

from ..errors import StoreUnavailable
from ..model import LAST_SECOND, LOG_KEEP_SECONDS, MAX_LIFETIME, AccessToken, Client, Clock, TokenRecord
from ..processes import PerProcess
from ..protocols import Store
from .revocation import revoke_row
from .sharing import Sharing

CLOCK_SLACK = 24 * 3600
SWEEP_EVERY = 100
SWEEP_LIMIT = 500
# Seconds for which the row of an expired token is kept: if this machine's clock is ahead, others still accept it.
CLOCK_MARGIN = 60

_ENCODED_LENGTH = 48
# RFC 6750 §2.1: the b64token characters that a prefix may have, then those of base64url.
_TEXT = re.compile(r"[A-Za-z0-9._~+/-]{0,32}[A-Za-z0-9_-]{48}", re.ASCII)

# True if the token with this storage key, client and position (see TokenRecord) is revoked.
IsRevoked = Callable[[bytes, str, int], bool]


@dataclass(eq=False, repr=False)
class OpaqueTokens:
    """Issues and reads opaque tokens; a :class:`~oauth_mw.tokens.formats.Format`.

    :param prefix: the beginning of every issued token, so that secret scanners can find leaked ones. Tokens that were
        issued with another prefix stay valid.
    :param challenge: the beginning of every challenge of this server; each token carries it.
    :param is_revoked: judges revocations that the token's row does not show.
    :param leeway: seconds for which a token is accepted after its expiry.
    """

    store: Store
    clock: Clock
    prefix: str
    challenge: str
    _: KW_ONLY
    is_revoked: IsRevoked = lambda key, client_id, position: False
    leeway: float = 0
    sharing: Sharing = field(default_factory=Sharing)

    def __post_init__(self) -> None:
        # A sweep is due at every hundredth token. The count starts at random, in each process anew: a worker may issue
        # fewer tokens than that, and all workers are forked from one process.
        self._issued = PerProcess(lambda: count(secrets.randbelow(SWEEP_EVERY)))

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str] = ()
    ) -> tuple[str, AccessToken]:
        """Issue and store a token (RFC 6749 §4.4.3).

        :raises StoreUnavailable: it could not be stored, or the clock is out of range.
        """
        now, expires_at = times(self.clock(), lifetime)
        raw = expires_at.to_bytes(4) + secrets.token_bytes(32)
        text = self.prefix + urlsafe_b64encode(raw).decode()
        key = _key(text, raw)
        record = TokenRecord(
            client.client_id,
            " ".join(scopes),
            now,
            client.revoked_before,
            client.attributes,
            client.public_attributes,
            tuple(audience),
        )
        self.store.add_token(key, record)
        if next(self._issued.get()) % SWEEP_EVERY == 0:
            with suppress(StoreUnavailable):  # the token is stored, and a later sweep removes the rows
                self.store.sweep(now - CLOCK_MARGIN, SWEEP_LIMIT)
        return text, self.sharing.token(key, record, self.challenge)

    def read(self, text: str, *, anew: bool = False) -> AccessToken | None:
        key, now = storage_key(text), self.clock() - self.leeway
        if key is None or not now < int.from_bytes(key[:4]) <= now + MAX_LIFETIME + CLOCK_SLACK:
            return None
        token, is_live = self._find(key) or (None, False)
        return token if is_live else None

    def find(self, text: str) -> tuple[AccessToken, bool] | None:
        """Also a token whose expiry is impossible by this machine's clock, which may be wrong."""
        key = storage_key(text)
        return None if key is None else self._find(key)

    def _find(self, key: bytes) -> tuple[AccessToken, bool] | None:
        record = self.store.find_token(key)
        if record is None:
            return None
        is_revoked = record.revoked or self.is_revoked(key, record.client_id, record.position)
        return self.sharing.token(key, record, self.challenge), not is_revoked

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


def times(now: float, lifetime: int) -> tuple[int, int]:
    """``iat`` and ``exp`` of a token that is issued now, in whole seconds.

    ``iat`` is rounded down, so that services that check it accept the token at once; ``exp`` is rounded up, so that the
    token lives for at least ``lifetime``.

    :raises StoreUnavailable: the expiry does not fit into four bytes.
    """
    issued_at, expires_at = floor(now), ceil(now + lifetime)
    if not 0 <= issued_at < expires_at <= LAST_SECOND:
        raise StoreUnavailable("this machine's clock is wrong: tokens cannot expire before 1970 or after 2105")
    return issued_at, expires_at


def storage_key(text: str) -> bytes | None:
    """The storage key of a token, whatever its expiry; ``None`` if ``text`` is no opaque token."""
    if not _TEXT.fullmatch(text):
        return None
    # Eight characters are six bytes: the expiry and two more.
    return _key(text, a2b_base64(text[-_ENCODED_LENGTH : 8 - _ENCODED_LENGTH].replace("-", "+").replace("_", "/")))


def _key(text: str, raw: bytes) -> bytes:
    return raw[:4] + sha256(text.encode()).digest()[:28]
