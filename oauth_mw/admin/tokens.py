"""Tokens, from the operator's side."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import NotFound
from ..keys import check_installed
from ..model import LOG_KEEP_SECONDS, AccessToken, Clock, TokenRecord, Value
from ..protocols import Store, TokenStore
from ..tokens.denylist_loader import load_denylist
from ..tokens.opaque import CLOCK_MARGIN, storage_key
from ..tokens.revocation import revoke_log_only, revoke_row

PURGE_ROWS = 500
REST_SECONDS = 0.002

_TOKEN_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What a store knows about a token: ``state`` is ``live``, ``expired`` or ``revoked``."""

    token_id: str
    client_id: str
    scope: str
    issued_at: int
    expires_at: int
    state: str
    attributes: Mapping[str, Value]
    audience: tuple[str, ...] = ()


def token_key(token: str) -> bytes:
    """The storage key of a token, given by its id or by its own text, expired or not.

    :raises NotFound: it is neither.
    """
    if _TOKEN_ID.fullmatch(token):
        return bytes.fromhex(token)
    key = storage_key(token)
    if key is None:
        raise NotFound("there is no such token")
    return key


def inspect_token(store: Store, key: bytes, *, clock: Clock = time.time) -> TokenStatus:
    """What the store knows about the token with this storage key (see :func:`token_key`).

    :raises NotFound: no such token, or its row is gone.
    """
    record = _token(store, key)
    expires_at = int.from_bytes(key[:4])
    state = "revoked" if _has_ended(store, key, record) else "live" if clock() < expires_at else "expired"
    return TokenStatus(
        token_id=key.hex(),
        client_id=record.client_id,
        scope=record.scope,
        issued_at=record.issued_at,
        expires_at=expires_at,
        state=state,
        attributes=record.attributes,
        audience=record.audience,
    )


def revoke_token(store: Store, key: bytes, *, clock: Clock = time.time) -> bool:
    """End a token; false when it had ended before.

    :raises NotFound: no such token, or its row is gone.
    """
    _token(store, key)
    return clock() - LOG_KEEP_SECONDS < int.from_bytes(key[:4]) and revoke_row(store, key)


def inspect_jwt(
    store: Store, text: str, *, files: Sequence[str] = (), secret: str | None = None, clock: Clock = time.time
) -> TokenStatus:
    """What is known about a JWT access token, which lies in no store.

    :param files: the option ``signing_key_files``, where the keys do not lie in the store.
    :param secret: the option ``key_encryption_secret``, for files that are encrypted.
    :raises NotFound: no key that is there has signed it.
    :raises ConfigError: the extra ``jwt`` is not installed, or a file cannot be used.
    """
    token, lives = _jwt(store, text, files, secret)
    state = "revoked" if not lives else "live" if clock() < token.expires_at else "expired"
    return TokenStatus(
        token_id=token.token_id,
        client_id=token.client_id,
        scope=token.scope,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        state=state,
        attributes=token.attributes,
        audience=token.audience,
    )


def revoke_jwt(
    store: Store, text: str, *, files: Sequence[str] = (), secret: str | None = None, clock: Clock = time.time
) -> tuple[str, bool]:
    """End a JWT access token: its id, and false when it had ended before. The parameters are those of
    :func:`inspect_jwt`.

    :raises NotFound: no key that is there has signed it.
    :raises ConfigError: the extra ``jwt`` is not installed, or a file cannot be used.
    """
    token, _ = _jwt(store, text, files, secret)
    key = bytes.fromhex(token.token_id)
    live = clock() - LOG_KEEP_SECONDS < token.expires_at
    return token.token_id, live and revoke_log_only(store, token.client_id, key, token.position)


def _jwt(store: Store, text: str, files: Sequence[str], secret: str | None) -> tuple[AccessToken, bool]:
    """The token, whatever its time, and whether nothing has ended it."""
    check_installed()
    from ..keys.files import FileKeys
    from ..keys.ring import KeyRing
    from ..tokens.jwt import JWTTokens, Keys

    keys: Keys
    if files:
        keys = FileKeys(files, secret)
    else:
        how = store, time.time, time.monotonic
        keys = KeyRing(*how, algorithm="", lifetime=None, lead=0, secret=secret)
    denylist = load_denylist(store, time.time)
    tokens = JWTTokens(
        keys,
        _before_all,
        issuer=None,
        is_revoked=denylist.is_revoked,
        end=partial(revoke_log_only, store),
        leeway=0,
        challenge="",
    )
    found = tokens.find(text)
    if found is None:
        raise NotFound("there is no such token")
    return found


def _before_all() -> float:
    return 0.0


def purge(store: Store, *, clock: Clock = time.time) -> Iterator[int]:
    """Remove all rows that expired more than a minute ago; yields how many went in each of the small steps.

    Other writers get in between the steps, and clocks of other machines may be a minute behind.

    :raises StoreUnavailable: the store does not answer.
    """
    before = int(clock()) - CLOCK_MARGIN
    while swept := store.sweep(before, PURGE_ROWS):
        yield swept
        # Whoever waits for SQLite's writers' queue looks again only so often.
        time.sleep(REST_SECONDS)


def _has_ended(store: Store, key: bytes, record: TokenRecord) -> bool:
    if store.rows_tell_revocation or record.revoked:
        return record.revoked
    return load_denylist(store, time.time).is_revoked(key, record.client_id, record.position)


def _token(store: TokenStore, key: bytes) -> TokenRecord:
    record = store.find_token(key)
    if record is None:
        raise NotFound("there is no such token")
    return record
