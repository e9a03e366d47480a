"""Signing keys in a store, from the operator's side. What makes or reads a key needs the extra ``jwt``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..credentials import MIN_SECRET, password_fault
from ..errors import AdminError, StoreUnavailable
from ..keys import CORRUPT, LOOK_SECONDS, check_installed, lead_seconds
from ..keys.schedule import current, is_encrypted, named, published, without_key
from ..model import Clock, KeyRecord
from ..protocols import Store

if TYPE_CHECKING:
    from ..keys.keypair import Key

DEFAULT_LEAD = lead_seconds(1)
SIGNING_SECONDS = 0.5  # between a look at the keys and what is signed with one of them


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What is public about a signing key, and whether its private half lies ``encrypted`` in the store.

    ``state`` is ``next``, ``signing``, ``verifying`` (others followed, but a token of it may live), or
    ``expired``. ``needed_until`` is the Unix second until which a token of it may live; 0: it has signed none.
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
    """Make the next signing key. The one that signs now verifies until its last token has expired.

    :param algorithm: ES256, EdDSA or RS256; that of the last key by default.
    :param secret: what its private half is encrypted with. It may be another than that of earlier keys: workers
        sign with the last key in turn that they can read.
    :param lead: seconds for which it is published before it signs: at least for as long as others keep a key set.
    :param at_once: it signs now. Until others read the key set again, they refuse its tokens.
    :raises AdminError: the next key waits already, this one would lie in the clear where others are encrypted,
        ``secret`` is weak, or ``algorithm`` is none.
    :raises ConfigError: the extra ``jwt`` is not installed.
    """
    check_installed()
    from ..keys.keypair import ALGORITHMS, make

    records = store.read_keys().keys
    following = algorithm or (records[-1].algorithm if records else ALGORITHMS[0])
    if following not in ALGORITHMS:
        raise AdminError(f"an algorithm is one of {', '.join(ALGORITHMS)}")
    _check_turn(records, secret, at_once, int(clock()))
    return _added(store, make(following), secret, lead, at_once, clock)


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
    """Make a key from elsewhere the next signing key. The other parameters are those of :func:`rotate_key`.

    :param pem: a private key on P-256 or Ed25519, or RSA with 2048 bits or more.
    :param password: what ``pem`` is encrypted with.
    :param algorithm: what the key must be for.
    :raises AdminError: it cannot be read or used, is for another algorithm, is there already, or what
        :func:`rotate_key` refuses.
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
    records = store.read_keys().keys
    if any(record.kid == key.kid for record in records):
        raise AdminError(f"the signing key {key.kid} is there already")
    _check_turn(records, secret, at_once, int(clock()))
    return _added(store, key, secret, lead, at_once, clock)


def retire_key(
    store: Store,
    kid: str,
    *,
    algorithm: str | None = None,
    secret: str | None = None,
    clock: Clock = time.time,
    wait: Callable[[float], object] = time.sleep,
) -> KeyStatus | None:
    """Remove a signing key. All tokens that it has signed end, as if each were revoked.

    In place of the one that signs, a new one is made first that signs at once, with ``algorithm`` and ``secret`` as
    in :func:`rotate_key`; it is returned. Others cannot know it before they read the key set again. Until all workers
    know it, which takes a second and a half, ``wait`` is called.

    :raises NotFound: there is no such key.
    :raises AdminError: the new one would lie in the clear where others are encrypted, or ``secret`` is weak.
    :raises ConfigError: the extra ``jwt`` is not installed, and a new one is needed.
    """
    keys = store.read_keys()
    record = named(keys, kid)
    new = None
    if record == current(keys.keys, int(clock())):
        new = rotate_key(store, algorithm=algorithm or record.algorithm, secret=secret, at_once=True, clock=clock)
        # What a worker signs with the old key from now on would be dead as soon as it is issued.
        wait(LOOK_SECONDS + SIGNING_SECONDS)
    store.update_keys(lambda keys: without_key(keys, kid), revoke_all=True)
    # It may sign in this second only because the other is gone.
    return new and next((each for each in list_keys(store, clock=clock) if each.kid == new.kid), new)


def public_keys(store: Store, *, clock: Clock = time.time) -> list[dict[str, str]]:
    """The members of the key set that is published (RFC 7517 §5)."""
    records = store.read_keys().keys
    return [_public(record) for record in published(records, int(clock()))]


def public_key(store: Store, kid: str) -> dict[str, str]:
    """The public half of a key, as a member of a key set (RFC 7517 §4).

    :raises NotFound: there is no such key.
    """
    return _public(named(store.read_keys(), kid))


def private_key(store: Store, kid: str, *, password: str, secret: str | None = None) -> str:
    """A signing key as a PEM (PKCS #8), encrypted with ``password``.

    :param secret: what it is encrypted with in the store.
    :raises NotFound: there is no such key.
    :raises AdminError: it cannot be read with ``secret``, or ``password`` is weak.
    :raises ConfigError: the extra ``jwt`` is not installed.
    """
    check_installed()
    _check_password("password", password)
    key = _opened(named(store.read_keys(), kid), secret)
    if key is None:
        raise AdminError(f"the signing key {kid} cannot be read with the key_encryption_secret")
    return key.pem(password)


def key_warnings(
    store: Store | None, *, secret: str | None, files: Sequence[str] = (), clock: Clock = time.time
) -> list[str]:
    """What an operator should know about the keys with which a configuration signs, each beginning with an option.

    :param store: ``None`` where it is not made yet.
    :param secret: the option ``key_encryption_secret``.
    :param files: the option ``signing_key_files``.
    :raises ConfigError: the extra ``jwt`` is not installed, or a file cannot be used.
    """
    check_installed()
    if files:
        from ..keys.files import FileKeys, readable_by_all

        FileKeys(files, secret)
        return [f"signing_key_files: every user of this machine can read {path}" for path in readable_by_all(files)]
    found = []
    if secret is None:
        found.append("key_encryption_secret: is not set, so private signing keys lie in the store in the clear")
    records = store.read_keys().keys if store else ()
    if not records:
        return [*found, "token_format: there is no signing key yet: the first use makes it"]
    clear = [record.kid for record in records if not is_encrypted(record)]
    if secret and clear:
        found.append(f"key_encryption_secret: older keys lie in the store in the clear: {', '.join(clear)}")
    now = int(clock())
    to_sign = [record for record in records if _status(record, records, now).state in ("signing", "next")]
    closed = [record.kid for record in to_sign if _opened(record, secret) is None]
    if closed:
        found.append(f"key_encryption_secret: does not open {', '.join(closed)}: workers sign with another, if any")
    return found


def _status(record: KeyRecord, records: Sequence[KeyRecord], now: int) -> KeyStatus:
    signing = current(records, now)
    if signing is not None and record.kid == signing.kid:
        state = "signing"
    elif record.signs_from > now:
        state = "next"
    else:
        state = "verifying" if any(each.kid == record.kid for each in published(records, now)) else "expired"
    times = record.created_at, record.signs_from, record.needed_until
    return KeyStatus(record.kid, record.algorithm, state, *times, encrypted=is_encrypted(record))


def _public(record: KeyRecord) -> dict[str, str]:
    """
    :raises StoreUnavailable: it is nothing that was ever written there.
    """
    try:
        members = json.loads(record.public)
    except (RecursionError, ValueError):
        members = None
    if not isinstance(members, dict):
        raise StoreUnavailable(CORRUPT)
    return members


def _check_turn(records: Sequence[KeyRecord], secret: str | None, at_once: bool, now: int) -> None:
    if secret is None and any(map(is_encrypted, records)):
        raise AdminError("other signing keys there are encrypted: without key_encryption_secret this one would not be")
    if secret is not None:
        _check_password("key_encryption_secret", secret)
    waiting = records[-1] if records and records[-1] != current(records, now) else None
    if waiting and not at_once:
        raise AdminError(f"the next signing key waits already: {waiting.kid}. Retire it to put another in its place")


def _check_password(what: str, password: str) -> None:
    """
    :raises AdminError: it is weak.
    """
    fault = password_fault(password)
    if fault:
        raise AdminError(f"the {what} is weak: {fault}; it needs {MIN_SECRET} characters that are hard to guess")


def _added(store: Store, key: Key, secret: str | None, lead: int, at_once: bool, clock: Clock) -> KeyStatus:
    from ..keys.ring import KeyRing

    ring = KeyRing(store, clock, time.monotonic, algorithm=key.algorithm, lifetime=None, lead=lead, secret=secret)
    record = ring.add(key, at_once=at_once)
    if record is None:
        raise AdminError("another signing key was added at the same moment")
    return _status(record, store.read_keys().keys, int(clock()))


def _opened(record: KeyRecord, secret: str | None) -> Key | None:
    from ..keys.keypair import from_pem

    try:
        return from_pem(record.private, secret)
    except ValueError:
        return None
