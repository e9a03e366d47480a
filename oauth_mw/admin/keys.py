"""Administration of the signing keys in a store. Making or reading a key needs the extra ``jwt``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..credentials import MIN_SECRET, password_fault
from ..errors import AdminError, StoreUnavailable
from ..keys import CORRUPT_KEY, REFRESH_SECONDS, check_installed, lead_seconds
from ..keys.schedule import current, is_encrypted, key_of, published, without_key
from ..model import Clock, KeyRecord
from ..protocols import Store
from .trail import recording

if TYPE_CHECKING:
    from ..keys.keypair import Key

DEFAULT_LEAD = lead_seconds(1)
SIGNING_SECONDS = 0.5  # at most, between a worker's read of the keys and a token that it signs


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The public fields of a signing key. ``encrypted``: its private key is encrypted in the store.

    ``state`` is ``next``, ``signing``, ``verifying`` (it no longer signs, but its tokens may be live), or ``expired``.
    ``needed_until`` is the Unix second until which a token of it may be live; 0: it has signed none.
    """

    kid: str
    algorithm: str
    state: str
    created_at: int
    signs_from: int
    needed_until: int
    encrypted: bool


def list_keys(store: Store, *, clock: Clock = time.time) -> list[KeyStatus]:
    """All signing keys, in the order in which they sign."""
    records, now = store.read_keys().keys, int(clock())
    return [_status(record, records, now) for record in records]


def rotate_key(
    store: Store,
    *,
    algorithm: str | None = None,
    secret: str | None = None,
    lead: int = DEFAULT_LEAD,
    at_once: bool = False,
    clock: Clock = time.time,
) -> KeyStatus:
    """Make the next signing key. The current one verifies until its last token has expired.

    :param algorithm: ES256, EdDSA or RS256; by default that of the newest key.
    :param secret: encrypts the private key. It may differ from that of earlier keys: each worker signs with the newest
        active key that it can decrypt.
    :param lead: seconds for which the key is published before it signs; at least as long as services cache a key set.
    :param at_once: it signs now. Until services read the key set again, they refuse its tokens.
    :raises AdminError: the next key is published already, this one would be unencrypted beside encrypted ones,
        ``secret`` is weak, or ``algorithm`` is unknown.
    :raises ConfigError: the extra ``jwt`` is not installed.
    """
    check_installed()
    from ..keys.keypair import ALGORITHMS, make

    records = store.read_keys().keys
    chosen = algorithm or (records[-1].algorithm if records else ALGORITHMS[0])
    if chosen not in ALGORITHMS:
        raise AdminError(f"an algorithm is one of {', '.join(ALGORITHMS)}")
    return _add(store, records, make(chosen), secret, lead, at_once, clock)


def import_key(
    store: Store,
    pem: str,
    *,
    password: str | None = None,
    algorithm: str | None = None,
    secret: str | None = None,
    lead: int = DEFAULT_LEAD,
    at_once: bool = False,
    clock: Clock = time.time,
) -> KeyStatus:
    """Make an existing key the next signing key. The other parameters are those of :func:`rotate_key`.

    :param pem: a private key on P-256 or Ed25519, or RSA with 2048 bits or more.
    :param password: decrypts ``pem``.
    :param algorithm: the algorithm that the key must be for.
    :raises AdminError: the key cannot be read or used, is for another algorithm, is in the store already, or as
        :func:`rotate_key` does.
    :raises ConfigError: the extra ``jwt`` is not installed.
    """
    check_installed()
    from ..keys.keypair import from_pem

    try:
        key = from_pem(pem, password)
    except ValueError as error:
        raise AdminError(str(error)) from None
    if algorithm not in (None, key.algorithm):
        raise AdminError(f"the key is for {key.algorithm}, expected one for {algorithm}")
    keys = store.read_keys()
    if keys.find(key.kid):
        raise AdminError(f"the signing key {key.kid} is already in the store")
    return _add(store, keys.keys, key, secret, lead, at_once, clock)


def retire_key(
    store: Store,
    kid: str,
    *,
    algorithm: str | None = None,
    secret: str | None = None,
    clock: Clock = time.time,
    wait: Callable[[float], object] = time.sleep,
) -> KeyStatus | None:
    """Remove a signing key, and revoke all tokens that it has signed.

    If it is the current one, a new key is made first, with ``algorithm`` and ``secret`` as in :func:`rotate_key`. It
    signs at once and is returned; services refuse its tokens until they read the key set again. ``wait`` is called for
    the second and a half until all workers use it.

    :raises AdminError: the new key would be unencrypted beside encrypted ones, or ``secret`` is weak.
    :raises ConfigError: a new key is needed, and the extra ``jwt`` is not installed.
    """
    keys = store.read_keys()
    record = key_of(keys, kid)
    new = None
    if record == current(keys.keys, int(clock())):
        new = rotate_key(store, algorithm=algorithm or record.algorithm, secret=secret, at_once=True, clock=clock)
        # Tokens that workers still sign with the old key would be revoked as soon as they are issued.
        wait(REFRESH_SECONDS + SIGNING_SECONDS)
    with recording(store, lambda: [("key_retired", {"key_id": kid})]) as event:
        store.update_keys(lambda keys: without_key(keys, kid), revoke_all=True)
        event("key_retired", key_id=kid)
    # Read again: if both keys began in the same second, the new one signs only since the old one is removed.
    return new and next((each for each in list_keys(store, clock=clock) if each.kid == new.kid), new)


def public_keys(store: Store, *, clock: Clock = time.time) -> list[dict[str, str]]:
    """The members of the published key set (RFC 7517 §5)."""
    return [_public(record) for record in published(store.read_keys().keys, int(clock()))]


def public_key(store: Store, kid: str) -> dict[str, str]:
    """The public key, as a member of a key set (RFC 7517 §4)."""
    return _public(key_of(store.read_keys(), kid))


def private_key(store: Store, kid: str, *, password: str, secret: str | None = None) -> str:
    """A signing key as a PEM (PKCS #8), encrypted with ``password``.

    :param secret: decrypts the key in the store.
    :raises AdminError: ``secret`` does not decrypt it, or ``password`` is weak.
    :raises ConfigError: the extra ``jwt`` is not installed.
    """
    check_installed()
    _check_password("password", password)
    key = _opened(key_of(store.read_keys(), kid), secret)
    if key is None:
        raise AdminError(f"the signing key {kid} cannot be read with the key_encryption_secret")
    with recording(store, tuple) as event:
        pem = key.pem(password)
        event("key_exported", key_id=kid)
    return pem


def key_warnings(
    store: Store | None, *, secret: str | None, files: Sequence[str] = (), clock: Clock = time.time
) -> list[str]:
    """Warnings about the signing keys of a configuration; each begins with the name of an option.

    :param store: ``None`` if it does not exist yet.
    :param secret: the option ``key_encryption_secret``.
    :param files: the option ``signing_key_files``.
    :raises ConfigError: the extra ``jwt`` is not installed, or a file cannot be used.
    """
    check_installed()
    if files:
        from ..keys.files import FileKeys, access_warnings

        FileKeys(files, secret)
        return [f"signing_key_files: {sentence}" for sentence in access_warnings(files)]
    found = []
    if secret is None:
        found.append("key_encryption_secret: is not set, so private signing keys are stored unencrypted")
    records = store.read_keys().keys if store else ()
    if not records:
        return [*found, "token_format: there is no signing key yet: it is made on first use"]
    clear = [record.kid for record in records if not is_encrypted(record)]
    if secret and clear:
        found.append(f"key_encryption_secret: older keys are stored unencrypted: {', '.join(clear)}")
    now = int(clock())
    to_sign = [record for record in records if _status(record, records, now).state in ("signing", "next")]
    closed = [record.kid for record in to_sign if _opened(record, secret) is None]
    if closed:
        found.append(f"key_encryption_secret: does not decrypt {', '.join(closed)}: workers sign with another, if any")
    return found


def _status(record: KeyRecord, records: Sequence[KeyRecord], now: int) -> KeyStatus:
    verifying = "verifying" if record in published(records, now) else "expired"
    state = "signing" if record == current(records, now) else "next" if record.signs_from > now else verifying
    times = record.created_at, record.signs_from, record.needed_until
    return KeyStatus(record.kid, record.algorithm, state, *times, encrypted=is_encrypted(record))


def _public(record: KeyRecord) -> dict[str, str]:
    try:
        members = json.loads(record.public)
    except (RecursionError, ValueError):
        members = None
    if not isinstance(members, dict):
        raise StoreUnavailable(CORRUPT_KEY)
    return members


def _check_password(what: str, password: str) -> None:
    if fault := password_fault(password):
        raise AdminError(f"the {what} is weak: {fault}; it needs {MIN_SECRET} characters that are hard to guess")


def _add(
    store: Store, records: Sequence[KeyRecord], key: Key, secret: str | None, lead: int, at_once: bool, clock: Clock
) -> KeyStatus:
    """Add the next key after ``records``."""
    from ..keys.ring import KeyRing

    if secret is None and any(map(is_encrypted, records)):
        raise AdminError("other signing keys there are encrypted: without key_encryption_secret this one would not be")
    if secret is not None:
        _check_password("key_encryption_secret", secret)
    waiting = records[-1] if records and records[-1] != current(records, int(clock())) else None
    if waiting and not at_once:
        raise AdminError(f"the next signing key is already waiting: {waiting.kid}. Retire it to replace it")
    with recording(store, lambda: [("key_added", {"key_id": key.kid})]) as event:
        record = KeyRing(store, clock, time.monotonic, lead=lead, secret=secret).add(key, at_once=at_once)
        if record is None:
            raise AdminError("another signing key was added at the same moment")
        event("key_added", key_id=record.kid)
    return _status(record, store.read_keys().keys, int(clock()))


def _opened(record: KeyRecord, secret: str | None) -> Key | None:
    from ..keys.keypair import from_pem

    try:
        return from_pem(record.private, secret)
    except ValueError:
        return None
