"""Administration of tokens: inspect, revoke, purge."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ..errors import NotFound
from ..keys import check_installed
from ..model import LOG_KEEP_SECONDS, AccessToken, Clock, TokenRecord, Value
from ..protocols import Store, TokenStore
from ..tokens.denylist import load_denylist
from ..tokens.opaque import CLOCK_MARGIN, storage_key
from ..tokens.revoking import revoke_log_only, revoke_row
from .trail import recording

PURGE_ROWS = 500
PURGE_PAUSE_SECONDS = 0.002

_TOKEN_ID = re.compile(r"[0-9a-f]{64}")


class TokenStatus(NamedTuple):
    """The fields of a token. ``state`` is ``live``, ``expired`` or ``revoked``; times are Unix seconds."""

    token_id: str
    client_id: str
    scope: str
    audience: tuple[str, ...]
    state: str
    issued_at: int
    expires_at: int
    attributes: Mapping[str, Value]


def token_key(token: str) -> bytes:
    """The storage key of an opaque token, from its id or its text, even if it has expired."""
    key = bytes.fromhex(token) if _TOKEN_ID.fullmatch(token) else storage_key(token)
    if key is None:
        raise NotFound("there is no such token")
    return key


def inspect_token(store: Store, key: bytes, *, clock: Clock = time.time) -> TokenStatus:
    """The fields and state of the opaque token with this storage key (:func:`token_key`), until its row is swept."""
    record = _find(store, key)
    is_revoked = record.revoked
    if not is_revoked and not store.rows_show_all:
        denylist = load_denylist(store, time.time)
        is_revoked = denylist.is_revoked(key, record.client_id, record.position, record.issued_at)
    return _status(key, record, is_revoked, clock)


def list_tokens(
    store: TokenStore, client_id: str, *, after: str = "", clock: Clock = time.time
) -> Iterator[TokenStatus]:
    """Iterate over the live opaque tokens of a client in the order of their expiry, reading page by page.

    JWTs are not among them: the store has no rows of them.

    :param after: the id of a token: only those that follow it.
    """
    now = clock()
    begin = bytes.fromhex(after) if after else b""
    key = max(begin, max(int(now), 0).to_bytes(4))  # expired ones come first
    while page := store.tokens_of(client_id, key):
        for key, record in page:
            if not record.revoked and now < int.from_bytes(key[:4]):
                yield _status(key, record, False, clock)


def revoke_token(store: Store, key: bytes, *, clock: Clock = time.time) -> bool:
    """Revoke an opaque token; false if it was revoked or expired before."""
    owner = _find(store, key).client_id
    about = {"client_id": owner, "token_id": key.hex()}
    with recording(store, lambda: [("token_revoked", about)]) as record:
        revoked = clock() - LOG_KEEP_SECONDS < int.from_bytes(key[:4]) and revoke_row(store, key, owner)
        if revoked:
            record("token_revoked", **about)
    return revoked


def inspect_jwt(
    store: Store, text: str, *, files: Sequence[str] = (), secret: str | None = None, clock: Clock = time.time
) -> TokenStatus:
    """The fields and state of a JWT access token, which has no row in the store.

    :param files: the option ``signing_key_files``, if the keys are not in the store.
    :param secret: the option ``key_encryption_secret``, for encrypted files.
    :raises NotFound: no known key has signed it.
    :raises ConfigError: the extra ``jwt`` is not installed, or a file cannot be used.
    """
    token, is_live = _verified(store, text, files, secret)
    return _status(bytes.fromhex(token.token_id), token, not is_live, clock)


def revoke_jwt(
    store: Store, text: str, *, files: Sequence[str] = (), secret: str | None = None, clock: Clock = time.time
) -> tuple[str, bool]:
    """Revoke a JWT access token. Return its id, and false if it was revoked or expired before.

    Parameters and errors are those of :func:`inspect_jwt`.
    """
    token, _ = _verified(store, text, files, secret)
    key = bytes.fromhex(token.token_id)
    can_be_live = clock() - LOG_KEEP_SECONDS < token.expires_at
    about = {"client_id": token.client_id, "token_id": token.token_id}
    with recording(store, lambda: [("token_revoked", about)]) as record:
        revoked = can_be_live and revoke_log_only(store, token.client_id, key, token.position, token.issued_at)
        if revoked:
            record("token_revoked", **about)
    return token.token_id, revoked


def purge(store: Store, *, clock: Clock = time.time) -> Iterator[int]:
    """Remove all rows that expired more than a minute ago, in small steps; yield how many each step removed.

    Clocks of other machines may be behind by that minute. Between the steps, other writers can take the write lock.
    """
    before = int(clock()) - CLOCK_MARGIN
    while swept := store.sweep(before, PURGE_ROWS):
        yield swept
        time.sleep(PURGE_PAUSE_SECONDS)


def _find(store: TokenStore, key: bytes) -> TokenRecord:
    record = store.find_token(key)
    if record is None:
        raise NotFound(
            "the store has no such token: it was never there, or it was removed after it had expired. If a worker whose"
            " clock is behind may still accept it, revoke all tokens of its client"
        )
    return record


def _verified(store: Store, text: str, files: Sequence[str], secret: str | None) -> tuple[AccessToken, bool]:
    """The token, even if it has expired, and whether it is not revoked."""
    check_installed()
    from ..keys.files import FileKeys
    from ..keys.ring import KeyRing
    from ..tokens.jwt import JWTTokens, Keys

    keys: Keys = FileKeys(files, secret) if files else KeyRing(store, time.time, time.monotonic, secret=secret)
    tokens = JWTTokens(
        keys,
        lambda: 0.0,  # before all expiries
        issuer=None,
        is_revoked=load_denylist(store, time.time).is_revoked,
        revoke_log_only=partial(revoke_log_only, store),
        leeway=0,
    )
    found = tokens.find(text)
    if found is None:
        raise NotFound("there is no such token")
    return found


def _status(key: bytes, token: AccessToken | TokenRecord, is_revoked: bool, clock: Clock) -> TokenStatus:
    expires_at = int.from_bytes(key[:4])
    return TokenStatus(
        token_id=key.hex(),
        client_id=token.client_id,
        scope=token.scope,
        audience=token.audience,
        state="revoked" if is_revoked else "live" if clock() < expires_at else "expired",
        issued_at=token.issued_at,
        expires_at=expires_at,
        attributes=token.attributes,
    )
