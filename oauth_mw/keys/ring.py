"""Which key signs, and which verify, as the store says; and how they follow each other.

A new key is published before it signs, for as long as anybody may keep an old key set, and stays
until its last token has expired. The store is asked once a second at most, whatever is asked of us.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import StoreUnavailable
from ..model import Clock, KeyRecord
from ..protocols import KeyStore
from . import material
from .material import Key

LOOK_SECONDS = 1.0
# A key is asked to stay for so much longer than its tokens need, so that this is written rarely.
NEED_SECONDS = 3600
# For clocks that differ.
MARGIN_SECONDS = 24 * 3600


class _Known(NamedTuple):
    records: Sequence[KeyRecord]
    keys: Mapping[str, Key]


class KeyRing:
    """The signing keys of a store.

    :param algorithm: what new keys are for.
    :param lifetime: seconds after which the next key signs; ``None``: when somebody asks for it.
    :param lead: seconds for which a key is published before it signs.
    :param secret: what private halves are encrypted with in the store.
    :param monotonic: a clock that never goes back, for the looks.
    """

    def __init__(
        self,
        store: KeyStore,
        clock: Clock,
        monotonic: Clock,
        *,
        algorithm: str,
        lifetime: int | None,
        lead: int,
        secret: str | None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._algorithm = algorithm
        self._lifetime = lifetime
        self._lead = lead
        self._secret = secret
        self._lock = threading.Lock()
        self._known = _Known((), {})
        self._looked = float("-inf")
        self._failed: StoreUnavailable | None = None
        self._private: dict[str, Key] = {}

    def find(self, kid: str) -> Key | None:
        """A key whose tokens are good.

        :raises StoreUnavailable: it is not known here, and the store cannot say.
        """
        return self._known.keys.get(kid) or self._look().keys.get(kid)

    def public(self) -> list[dict[str, str]]:
        """The key set for others (RFC 7517 §5)."""
        return [key.jwk() for key in self._look().keys.values()]

    def signing(self, expires_at: int) -> Key:
        """The key that signs now, which others will find until ``expires_at`` at least.

        :raises StoreUnavailable: there is none, and none can be made.
        """
        records = self._look().records
        now = int(self._clock())
        if self._is_due(records, now):
            # Only after the key that was seen to be due: who was faster has made what was needed.
            self._add(material.make(self._algorithm), records)
            records = self._look().records
        record = _current(records, now)
        if record is None:
            raise StoreUnavailable("there is no signing key")
        if expires_at > record.needed_until:
            if not self._store.need_signing_key(record.kid, expires_at + NEED_SECONDS):
                raise StoreUnavailable("the signing key was removed just now")
            self._look(anew=True)
        return self._opened(record)

    def add(self, key: Key) -> bool:
        """Make a key the next that signs; false when another got in first.

        :raises StoreUnavailable: it is not known to be there.
        """
        return self._add(key, self._look(anew=True).records)

    def _add(self, key: Key, records: Sequence[KeyRecord]) -> bool:
        now = int(self._clock())
        latest = records[-1] if records else None
        starts = max(now + self._lead, latest.signs_from + 1) if latest else now
        private = key.pem(self._secret)
        record = KeyRecord(key.kid, key.algorithm, key.jwk_text(), private, now, starts)
        added = self._store.add_signing_key(record, latest.kid if latest else "")
        self._look(anew=True)
        return added

    def _is_due(self, records: Sequence[KeyRecord], now: int) -> bool:
        if not records:
            return True
        latest = records[-1]
        if latest.signs_from > now:
            return False  # the next one waits already
        ends = latest.signs_from + self._lifetime - self._lead if self._lifetime else None
        return latest.algorithm != self._algorithm or (ends is not None and now >= ends)

    def _look(self, *, anew: bool = False) -> _Known:
        """What the store says, as of a second ago at most.

        :raises StoreUnavailable: it does not answer.
        """
        with self._lock:
            now = self._monotonic()
            if anew or now >= self._looked + LOOK_SECONDS:
                self._looked = now
                try:
                    self._known, self._failed = self._read(), None
                except StoreUnavailable as error:
                    self._failed = error
            if self._failed is not None:
                raise StoreUnavailable(self._failed.reason)
            return self._known

    def _read(self) -> _Known:
        records = list(self._store.signing_keys())
        now = int(self._clock())
        signing = _current(records, now)
        good = [
            record
            for record in records
            if signing is None or record.signs_from >= signing.signs_from or record.needed_until + MARGIN_SECONDS >= now
        ]
        before = self._known.keys
        try:
            keys = {record.kid: before.get(record.kid) or material.from_jwk(record.public) for record in good}
        except ValueError:
            raise StoreUnavailable("a signing key's record is garbled") from None
        return _Known(records, keys)

    def _opened(self, record: KeyRecord) -> Key:
        key = self._private.get(record.kid)
        if key is None:
            try:
                key = material.from_pem(record.private, self._secret)
            except ValueError:
                raise StoreUnavailable("the signing key cannot be read with the key_encryption_secret") from None
            self._private = {record.kid: key}
        return key


def _current(records: Sequence[KeyRecord], now: int) -> KeyRecord | None:
    """The last that signs by now; where none does yet, the first that will."""
    signing = [record for record in records if record.signs_from <= now]
    return signing[-1] if signing else records[0] if records else None
