"""Which key signs, and which verify, as the store says; and how they follow each other.

A new key is published before it signs, for as long as anybody may keep an old key set, and stays
until its last token has expired. The store is asked once a second at most, and as often for keys
that it does not have, whatever is asked of us.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from ..deadlines import deadline_in
from ..errors import StoreUnavailable
from ..model import Clock, KeyRecord
from ..processes import PerProcess
from ..protocols import KeyStore
from . import CORRUPT, LOOK_SECONDS, keypair
from .keypair import Key
from .schedule import in_turn, published, with_key, with_need

# A key is asked to stay for so much longer than its tokens need, so that this is written rarely.
NEED_SECONDS = 3600
# For another's look, by who has no time of his own.
WAIT_SECONDS = 60.0
# So long a key is good without another look.
BELIEVED_SECONDS = 60.0


class _Known(NamedTuple):
    """``keys`` are those whose tokens are good; ``epoch`` is that of the time before the store was asked."""

    records: Sequence[KeyRecord]
    keys: Mapping[str, Key]
    epoch: object


class _Turn(NamedTuple):
    """Which key signs, of those that are known and in this second: finding out would be a tenth of an issue."""

    known: _Known
    second: int
    record: KeyRecord
    key: Key


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
        self._looking = PerProcess(threading.Lock)
        self._turning = PerProcess(threading.Lock)
        self._epoch = object()
        self._asked: object = None
        self._known = _Known((), {}, None)
        self._looked = self._sought = float("-inf")
        self._failed: StoreUnavailable | None = None
        self._private: Mapping[str, Key | None] = {}
        self._turn: _Turn | None = None

    def find(self, kid: str) -> Key | None:
        """A key whose tokens are good.

        :raises StoreUnavailable: it is not known here, and the store cannot say.
        """
        known = self._known
        # Not for ever: that nobody needs a key any more is no event.
        if known.epoch is self._epoch and kid in known.keys and self._monotonic() < self._looked + BELIEVED_SECONDS:
            return known.keys[kid]
        return self._look(wanted=kid).keys.get(kid)

    def forget(self) -> None:
        """Look into the store before any key is believed again: one was removed, or it is another store."""
        self._epoch = object()

    def public(self) -> list[dict[str, str]]:
        """The key set for others (RFC 7517 §5); while the store does not answer, what it said last.

        :raises StoreUnavailable: it has said nothing yet, or a key was removed since.
        """
        try:
            known = self._look()
        except StoreUnavailable:
            known = self._known
            if known.epoch is not self._epoch:
                raise
        return [key.jwk() for key in known.keys.values()]

    def signing(self, expires_at: int) -> Key:
        """The key that signs now, which others will find until ``expires_at`` at least.

        Where it cannot be read, because its maker has another secret, one that can be is taken.

        :raises StoreUnavailable: there is none, and none can be made.
        """
        turn, known = self._turn, self._look()
        if turn is None or turn.known is not known or turn.second != int(self._clock()):
            turn = self._next_turn(turn, known)
        if expires_at > turn.record.needed_until:
            kid, until = turn.record.kid, expires_at + NEED_SECONDS
            if self._store.update_keys(lambda keys: with_need(keys, kid, until)).find(kid) is None:
                raise StoreUnavailable("the signing key was removed just now")
            self._look(anew=True)
        return turn.key

    def _next_turn(self, last: _Turn | None, known: _Known) -> _Turn:
        """Find out which key signs now: exactly one thread does, since to make or decrypt a key takes long.

        Meanwhile the others go on with the key of before, as long as its tokens are good; without one they wait.

        :raises StoreUnavailable: there is no key yet, and none in time.
        """
        goes_on = last is not None and last.record.kid in known.keys
        lock = self._turning.get()
        if not lock.acquire(timeout=0 if goes_on else _left()):
            if last is not None and goes_on:
                return last
            raise StoreUnavailable("no signing key was made or decrypted in time")
        try:
            turn = self._turn
            if turn is None or turn is last:
                turn = self._turn = self._whose_turn()
            return turn
        finally:
            lock.release()

    def _whose_turn(self) -> _Turn:
        known = self._look()
        now = int(self._clock())
        if self._is_due(known, now):
            try:
                # Only after the key that was seen to be due: who was faster has made what was needed.
                self._add(keypair.make(self._algorithm), known.records)
            except StoreUnavailable:
                if not known.records:
                    raise
                # The last one goes on, until the store can be written again.
            known = self._look()
        return _Turn(known, now, *self._signer(known, now))

    def add(self, key: Key, *, at_once: bool = False) -> KeyRecord | None:
        """Make a key the next that signs; ``None`` when another got in first.

        :param at_once: it signs although others cannot know it yet.
        :raises StoreUnavailable: it is not known to be there.
        """
        return self._add(key, self._look(anew=True).records, at_once)

    def _add(self, key: Key, records: Sequence[KeyRecord], at_once: bool = False) -> KeyRecord | None:
        now = int(self._clock())
        latest = records[-1] if records else None
        starts = now if at_once or latest is None else max(now + self._lead, latest.signs_from)
        while any(record.signs_from == starts for record in records):
            starts += 1
        record = KeyRecord(key.kid, key.algorithm, key.jwk_text(), key.pem(self._secret), now, starts)
        last = latest.kid if latest else ""
        added = self._store.update_keys(lambda keys: with_key(keys, record, last, now)).find(key.kid) == record
        if added:
            self._private = {**self._private, record.private: key}
        self._look(anew=True)
        return record if added else None

    def _is_due(self, known: _Known, now: int) -> bool:
        if not known.records:
            return True
        latest = known.records[-1]
        if latest.signs_from > now:
            return False  # the next one waits already
        ends = latest.signs_from + self._lifetime - self._lead if self._lifetime else None
        # While the old algorithm's key is there, workers that still have the old setting do not ask for it back.
        other = all(key.algorithm != self._algorithm for key in known.keys.values())
        # Who has another secret than the others would make what they cannot read.
        return (other or (ends is not None and now >= ends)) and self._opened(latest) is not None

    def _signer(self, known: _Known, now: int) -> tuple[KeyRecord, Key]:
        for record in in_turn(known.records, now):
            key = self._opened(record) if record.kid in known.keys else None
            if key is not None:
                return record, key
        if known.records:
            raise StoreUnavailable("no signing key can be read with the key_encryption_secret")
        raise StoreUnavailable("there is no signing key")

    def _look(self, *, anew: bool = False, wanted: str = "") -> _Known:
        """What the store says, as of a second ago at most.

        :param wanted: a key that may have been made since. For such that it does not have, too, the store is asked
            once a second.
        :raises StoreUnavailable: it does not answer.
        """
        # In this order: who asks in vain says so before he says that he has asked.
        if not anew and self._is_fresh(self._epoch) and self._failed is None and not self._is_sought(wanted):
            return self._known
        lock = self._looking.get()
        if not lock.acquire(timeout=_left()):
            raise StoreUnavailable("others still look for the signing keys")
        try:
            epoch = self._epoch
            if anew or not self._is_fresh(epoch) or (self._failed is None and self._is_sought(wanted)):
                self._ask(epoch)
                if wanted and wanted not in self._known.keys:
                    self._sought = self._looked
            if self._failed is not None:
                raise StoreUnavailable(self._failed.reason)
            return self._known
        finally:
            lock.release()

    def _is_fresh(self, epoch: object) -> bool:
        return self._asked is epoch and self._monotonic() < self._looked + LOOK_SECONDS

    def _is_sought(self, kid: str) -> bool:
        """Whether a look of before will not do: a key that signs at once may be younger, and its tokens are good."""
        return bool(kid) and kid not in self._known.keys and self._monotonic() >= self._sought + LOOK_SECONDS

    def _ask(self, epoch: object) -> None:
        started = self._monotonic()
        try:
            self._known, self._failed = self._read(epoch), None
        except StoreUnavailable as error:
            self._failed = error
            # Those who waited meanwhile would not wait as long once more.
            started = self._monotonic()
        # Last: whoever was interrupted before, or forked, has not asked.
        self._looked = started
        self._asked = epoch

    def _read(self, epoch: object) -> _Known:
        records = self._store.read_keys().keys
        before = self._known.keys
        try:
            good = published(records, int(self._clock()))
            keys = {record.kid: before.get(record.kid) or keypair.from_jwk(record.public) for record in good}
        except ValueError:
            raise StoreUnavailable(CORRUPT) from None
        texts = {record.private for record in records}
        self._private = {text: key for text, key in self._private.items() if text in texts}
        return _Known(records, keys, epoch)

    def _opened(self, record: KeyRecord) -> Key | None:
        """The pair, if it can be read; tried once, for it takes long."""
        text = record.private
        with suppress(KeyError):
            return self._private[text]
        try:
            key = keypair.from_pem(text, self._secret)
        except ValueError:
            key = None
        # Not read again: another thread may have put its own in this one's place.
        self._private = {**self._private, text: key}
        return key


def _left() -> float:
    """Seconds that the operation under way may still wait."""
    return max(deadline_in(WAIT_SECONDS) - time.monotonic(), 0)
