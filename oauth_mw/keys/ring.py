"""The signing keys of a store, as a worker uses them: which one signs, which verify, and when the next one is made.

A new key is published before it signs, for as long as services may cache an older key set. It stays published until its
last token has expired. For the guard, the store is read once a second at most, and as often for keys that it does not
have, however many requests name such keys.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from ..deadlines import deadline_in
from ..errors import StoreUnavailable
from ..model import Clock, KeyRecord
from ..processes import PerProcess
from ..protocols import KeyStore
from . import CORRUPT_KEY, REFRESH_SECONDS, keypair
from .keypair import Key
from .schedule import published, signing_order, with_key, with_need

# Seconds for which a key is kept beyond the need of its tokens, so that the need is rarely written.
NEED_SECONDS = 3600
# Seconds that a caller without a deadline waits for another thread.
WAIT_SECONDS = 60.0
# Seconds for which a cached key verifies without another read of the store. No event says that a key has expired.
VERIFY_SECONDS = 60.0


class _Loaded(NamedTuple):
    """One read of the store: all records, and the published keys. ``epoch`` is the ring's from before the read."""

    records: Sequence[KeyRecord]
    keys: Mapping[str, Key]
    epoch: object


class _Signer(NamedTuple):
    """The key that signs in this second. Choosing it for each token would take a tenth of an issue."""

    loaded: _Loaded
    second: int
    record: KeyRecord
    key: Key


@dataclass(eq=False, repr=False)
class KeyRing:
    """The signing keys of a store.

    :param algorithm: the algorithm of new keys; needed if this ring may make some.
    :param lifetime: seconds after which the next key signs; ``None``: no key is made but the first.
    :param lead: seconds for which a key is published before it signs.
    :param secret: encrypts private keys in the store.
    :param monotonic: a monotonic clock, in seconds.
    :param made: called with the id of each key that this ring has made by itself.
    """

    store: KeyStore
    clock: Clock
    monotonic: Clock
    _: KW_ONLY
    algorithm: str = ""
    lifetime: int | None = None
    lead: int = 0
    secret: str | None = None
    made: Callable[[str], None] = lambda kid: None

    def __post_init__(self) -> None:
        self._reading = PerProcess(threading.Lock)
        self._choosing = PerProcess(threading.Lock)
        self._epoch = object()
        self._read_epoch: object = None
        self._loaded = _Loaded((), {}, None)
        self._last_read = self._last_miss = float("-inf")
        self._failure = ""
        self._private: Mapping[str, Key | None] = {}
        self._signer: _Signer | None = None

    def find(self, kid: str, *, anew: bool = False) -> Key | None:
        """The key with this id, if its tokens are valid.

        :param anew: if it is not cached, read the store, however short a time ago it did not have the key.
        :raises StoreUnavailable: it is not cached, and the store does not answer.
        """
        loaded = self._loaded
        if loaded.epoch is self._epoch and kid in loaded.keys and self.monotonic() < self._last_read + VERIFY_SECONDS:
            return loaded.keys[kid]
        return self._refreshed(force=anew, wanted=kid).keys.get(kid)

    def forget(self) -> None:
        """Use no key before the store is read again: one was retired, or the store was replaced."""
        self._epoch = object()

    def public(self) -> list[dict[str, str]]:
        """The members of the published key set (RFC 7517 §5); while the store does not answer, the cached ones.

        :raises StoreUnavailable: none are cached, or a key was retired since.
        """
        try:
            loaded = self._refreshed()
        except StoreUnavailable:
            loaded = self._loaded
            if loaded.epoch is not self._epoch:
                raise
        return [key.jwk() for key in loaded.keys.values()]

    def times(self) -> dict[str, int]:
        """When each published key was made, in Unix seconds, by its id.

        :raises StoreUnavailable: the store does not answer.
        """
        loaded = self._refreshed()
        return {record.kid: record.created_at for record in loaded.records if record.kid in loaded.keys}

    def signing(self, expires_at: int) -> Key:
        """The key that signs now. It is published until ``expires_at`` (Unix seconds) at least.

        If this worker cannot decrypt the current key, because another secret encrypts it, an earlier one signs.

        :raises StoreUnavailable: there is none, and none can be made.
        """
        signer, loaded = self._signer, self._refreshed()
        if signer is None or signer.loaded is not loaded or signer.second != int(self.clock()):
            signer = self._choose(signer, loaded)
        if expires_at > signer.record.needed_until:
            kid, until = signer.record.kid, expires_at + NEED_SECONDS
            if self.store.update_keys(lambda keys: with_need(keys, kid, until)).find(kid) is None:
                raise StoreUnavailable(f"the signing key {kid} was retired at this moment: retry")
            self._refreshed(force=True)
        return signer.key

    def add(self, key: Key, *, at_once: bool = False, records: Sequence[KeyRecord] | None = None) -> KeyRecord | None:
        """Make a key the next one that signs; ``None`` if another worker added one first.

        :param at_once: it signs although other services do not have it yet.
        :param records: the keys that the store must still have; without it, those that it has now.
        :raises StoreUnavailable: it is not known whether it was added.
        """
        if records is None:
            records = self._refreshed(force=True).records
        now = int(self.clock())
        last, starts = "", now
        if records:
            last = records[-1].kid
            starts = now if at_once else max(now + self.lead, records[-1].signs_from)
        while any(record.signs_from == starts for record in records):
            starts += 1
        public, private = json.dumps(key.jwk()), key.pem(self.secret)
        record = KeyRecord(key.kid, key.algorithm, public, private, now, starts)
        added = self.store.update_keys(lambda keys: with_key(keys, record, last, now)).find(key.kid) == record
        if added:
            self._private = {**self._private, private: key}
        self._refreshed(force=True)
        return record if added else None

    def _choose(self, last: _Signer | None, loaded: _Loaded) -> _Signer:
        """Choose the key that signs, in one thread: to make or decrypt a key takes long.

        Other threads sign with the last key meanwhile, while its tokens are valid; without one they wait.
        """
        is_usable = last is not None and last.record.kid in loaded.keys
        lock = self._choosing.get()
        if not lock.acquire(timeout=0 if is_usable else _time_left()):
            if last is not None and is_usable:
                return last
            raise StoreUnavailable("another request did not make or decrypt the signing key in time")
        try:
            if self._signer is None or self._signer is last:
                self._signer = self._chosen()
            return self._signer
        finally:
            lock.release()

    def _chosen(self) -> _Signer:
        loaded = self._refreshed()
        now = int(self.clock())
        if self._is_next_due(loaded, now):
            try:
                if added := self.add(keypair.make(self.algorithm), records=loaded.records):
                    self.made(added.kid)
            except StoreUnavailable:
                if not loaded.records:
                    raise  # else the present key signs until the store can be written again
            loaded = self._refreshed()
        for record in signing_order(loaded.records, now):
            if record.kid in loaded.keys and (key := self._opened(record)):
                return _Signer(loaded, now, record, key)
        if loaded.records:
            raise StoreUnavailable("key_encryption_secret decrypts none of the signing keys in the store")
        raise StoreUnavailable("there is no signing key in the store")

    def _is_next_due(self, loaded: _Loaded, now: int) -> bool:
        if not loaded.records:
            return True
        latest = loaded.records[-1]
        if latest.signs_from > now:
            return False  # the next one is published already
        successor = latest.signs_from + self.lifetime - self.lead if self.lifetime else None
        # While a key of the old algorithm verifies, workers that still have the old setting make none for it.
        is_changed = all(key.algorithm != self.algorithm for key in loaded.keys.values())
        # A worker whose secret differs from that of the others would make a key that they cannot decrypt.
        return (is_changed or (successor is not None and now >= successor)) and self._opened(latest) is not None

    def _refreshed(self, *, force: bool = False, wanted: str = "") -> _Loaded:
        """The keys as the store had them a second ago at most.

        :param force: read the store now.
        :param wanted: the id of a key that may be younger. If it is missing, the store is read, once a second too.
        :raises StoreUnavailable: the store does not answer.
        """
        # In this order: a failed read sets the reason before the epoch.
        if not force and self._is_current(self._epoch, wanted) and not self._failure:
            return self._loaded
        lock = self._reading.get()
        if not lock.acquire(timeout=_time_left()):
            raise StoreUnavailable("another request did not finish reading the signing keys in time")
        try:
            epoch = self._epoch
            if force or not self._is_current(epoch, "" if self._failure else wanted):
                self._read(epoch)
                if wanted and wanted not in self._loaded.keys:
                    self._last_miss = self._last_read
            if self._failure:
                raise StoreUnavailable(self._failure)
            return self._loaded
        finally:
            lock.release()

    def _is_current(self, epoch: object, wanted: str) -> bool:
        """True if the last read, failed or not, is recent enough."""
        now = self.monotonic()
        if self._read_epoch is not epoch or now >= self._last_read + REFRESH_SECONDS:
            return False
        return not wanted or wanted in self._loaded.keys or now < self._last_miss + REFRESH_SECONDS

    def _read(self, epoch: object) -> None:
        started = self.monotonic()
        try:
            self._loaded, self._failure = self._load(epoch), ""
        except StoreUnavailable as error:
            self._failure = error.reason
            started = self.monotonic()  # of the failure: threads that waited for this read do not wait for another
        # Last: after an exception or a fork before this line, nothing was read.
        self._last_read = started
        self._read_epoch = epoch

    def _load(self, epoch: object) -> _Loaded:
        records, before = self.store.read_keys().keys, self._loaded.keys
        valid = published(records, int(self.clock()))
        try:
            keys = {record.kid: before.get(record.kid) or keypair.from_jwk(record.public) for record in valid}
        except ValueError:
            raise StoreUnavailable(CORRUPT_KEY) from None
        texts = {record.private for record in records}
        self._private = {text: key for text, key in self._private.items() if text in texts}
        return _Loaded(records, keys, epoch)

    def _opened(self, record: KeyRecord) -> Key | None:
        """The key pair; ``None`` if this worker cannot decrypt it. Tried once, because it takes long."""
        opened = self._private  # another thread may replace it meanwhile
        if record.private not in opened:
            key = None
            with suppress(ValueError):
                key = keypair.from_pem(record.private, self.secret)
            self._private = opened = {**self._private, record.private: key}
        return opened[record.private]


def _time_left() -> float:
    """Seconds until this thread's deadline."""
    return max(deadline_in(WAIT_SECONDS) - time.monotonic(), 0)
