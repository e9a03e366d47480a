"""Opaque tokens: 256 random bits behind the four bytes of their expiry.

The store knows a token by its storage key,
four bytes of expiry and 28 of the text's SHA-256. The expiry in the text is believed by nobody
until the row is found; it only lets most made-up texts be refused without asking the store.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Callable, Sequence
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
SWEEP_ROWS = 500
# Seconds for which the row of an expired token stays. If this machine's clock is ahead, others still accept it.
CLOCK_MARGIN = 60

_LENGTH = 48
# RFC 6750 §2.1: of b64token, what a prefix may hold, then what we make ourselves.
_TEXT = re.compile(r"[A-Za-z0-9._~+/-]{0,32}[A-Za-z0-9_-]{48}", re.ASCII)

# Whether the token with this storage key, of this client, with this position (see TokenRecord), was revoked.
HasEnded = Callable[[bytes, str, int], bool]


def _never(key: bytes, client_id: str, position: int) -> bool:
    return False


class OpaqueTokens:
    """Issue and read opaque tokens.

    :param prefix: what every issued token begins with, so that secret scanners can find leaked ones;
        tokens issued under another prefix stay good.
    :param challenge: how the challenges of this server begin; handed on with every token.
    :param is_revoked: whether a token ended early, where the store does not mark it.
    :param leeway: seconds for which a token is still good after its expiry.
    :param sharing: what tokens have in common.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        prefix: str,
        challenge: str,
        *,
        is_revoked: HasEnded = _never,
        leeway: float = 0,
        sharing: Sharing | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._prefix = prefix
        self._challenge = challenge
        self._has_ended = is_revoked
        self._leeway = leeway
        self._sharing = sharing or Sharing()
        self._issued = PerProcess(_count)

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str] = ()
    ) -> tuple[str, AccessToken]:
        """Make, store and return a token (RFC 6749 §4.4.3) that is good for at least ``lifetime`` seconds.

        :raises StoreUnavailable: it could not be stored.
        """
        now, expires_at = times(self._clock(), lifetime)
        raw = expires_at.to_bytes(4) + secrets.token_bytes(32)
        text = self._prefix + urlsafe_b64encode(raw).decode()
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
        self._store.add_token(key, record)
        if self._is_due():
            self._sweep(now)
        return text, self._token(key, record)

    def _is_due(self) -> bool:
        """Whether to sweep: at every hundredth token of this process.

        The count starts at random, because workers may live for fewer tokens than that; anew in each process, because
        those that were forked from one would all start where it did.
        """
        return next(self._issued.get()) % SWEEP_EVERY == 0

    def _sweep(self, now: int) -> None:
        try:
            self._store.sweep(now - CLOCK_MARGIN, SWEEP_ROWS)
        except StoreUnavailable:
            pass  # the token is stored, and what is left over goes another time

    def read(self, text: str) -> AccessToken | None:
        """The live token that ``text`` is, or ``None``.

        :raises StoreUnavailable: it cannot be told.
        """
        token, lives = self._find(text, self._clock() - self._leeway) or (None, False)
        return token if lives else None

    def known(self, text: str) -> tuple[AccessToken, bool] | None:
        """The token that ``text`` is, unless no machine accepts it for its time, and whether it lives; or ``None``.

        :raises StoreUnavailable: it cannot be told.
        """
        return self._find(text, self._clock(), past=LOG_KEEP_SECONDS)

    def _find(self, text: str, now: float, past: float = 0) -> tuple[AccessToken, bool] | None:
        key = _possible(storage_key(text), now, past)
        record = self._store.find_token(key) if key else None
        if key is None or record is None:
            return None
        return self._token(key, record), not (record.revoked or self._has_ended(key, record.client_id, record.position))

    def revoke(self, token: AccessToken) -> bool:
        """End a token, or make sure that its end is kept; false when it had ended before.

        :raises StoreUnavailable: it is not known to be ended.
        """
        return revoke_row(self._store, bytes.fromhex(token.token_id))

    def storage_key(self, text: str) -> bytes | None:
        """Where the token would lie; ``None`` when ``text`` is none of ours or its time cannot be now."""
        return _possible(storage_key(text), self._clock())

    def _token(self, key: bytes, record: TokenRecord) -> AccessToken:
        scope, scopes = self._sharing.scope(record.scope)
        attributes, public = self._sharing.attributes(record.attributes, record.public_attributes)
        return AccessToken(
            client_id=self._sharing.one(record.client_id),
            scope=scope,
            scopes=scopes,
            token_id=key.hex(),
            issued_at=record.issued_at,
            expires_at=int.from_bytes(key[:4]),
            audience=self._sharing.one(record.audience),
            attributes=attributes,
            public_attributes=public,
            challenge=self._challenge,
            position=record.position,
        )


def _count() -> count[int]:
    return count(secrets.randbelow(SWEEP_EVERY))


def times(now: float, lifetime: int) -> tuple[int, int]:
    """``iat`` and ``exp`` of a token that is issued now, in whole seconds.

    Neither lies before its time: a service that checks ``iat`` accepts the token at once, and ``exp`` cuts nothing off
    the lifetime.

    :raises StoreUnavailable: the expiry has no four bytes.
    """
    issued_at, expires_at = floor(now), ceil(now + lifetime)
    if not 0 <= issued_at < expires_at <= LAST_SECOND:
        raise StoreUnavailable("the clock is out of the range of a token's expiry")
    return issued_at, expires_at


def storage_key(text: str) -> bytes | None:
    """Where a token would lie, whatever its time; ``None`` when ``text`` is none of ours."""
    if not _TEXT.fullmatch(text):
        return None
    # Eight characters are six bytes: the expiry and two more.
    return _key(text, a2b_base64(text[-_LENGTH : 8 - _LENGTH].replace("-", "+").replace("_", "/")))


def _possible(key: bytes | None, now: float, past: float = 0) -> bytes | None:
    """The key, if a token with its expiry can be live now, or could ``past`` seconds ago."""
    return key if key and now - past < int.from_bytes(key[:4]) <= now + MAX_LIFETIME + CLOCK_SLACK else None


def _key(text: str, raw: bytes) -> bytes:
    return raw[:4] + sha256(text.encode()).digest()[:28]
