"""How signing keys follow each other: what a store's keys say, and what each change makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import NotFound
from ..model import KeyRecord, KeySet

# For clocks that differ.
MARGIN_SECONDS = 24 * 3600


def current(records: Sequence[KeyRecord], now: int) -> KeyRecord | None:
    """The last that signs by now; where none does yet, the first that will."""
    return next(in_turn(records, now), None)


def in_turn(records: Sequence[KeyRecord], now: int) -> Iterator[KeyRecord]:
    """The key that signs, and then those that may where it cannot be read: earlier ones, whose successors wait last."""
    yield from (record for record in reversed(records) if record.signs_from <= now)
    yield from (record for record in records if record.signs_from > now)


def published(records: Sequence[KeyRecord], now: int) -> list[KeyRecord]:
    """Those whose tokens are good. The others have signed, and all that they signed has expired on every clock."""
    signing = current(records, now)
    first = records.index(signing) if signing else 0
    followed = zip(records[:first], records[1:], strict=False)
    return [record for record, following in followed if last_second(record, following) >= now] + list(records[first:])


def last_second(record: KeyRecord, following: KeyRecord) -> int:
    """Until when a key verifies after another has followed it."""
    return max(record.needed_until, following.signs_from) + MARGIN_SECONDS


def is_encrypted(record: KeyRecord) -> bool:
    return "ENCRYPTED" in record.private.partition("\n")[0]


def named(keys: KeySet, kid: str) -> KeyRecord:
    """
    :raises NotFound: there is no such key.
    """
    record = keys.find(kid)
    if record is None:
        raise NotFound(f"there is no signing key {kid!r}")
    return record


def with_key(keys: KeySet, record: KeyRecord, latest: str, now: int) -> KeySet:
    """Add a key if the one that signs last is ``latest`` (empty: there is none), and drop those that are over.

    So of several workers that see the same need at once, one succeeds; for the others the keys stay as they are.
    """
    last = keys.keys[-1].kid if keys.keys else ""
    if last != latest or keys.find(record.kid):
        return keys
    return KeySet.of([*published(keys.keys, now), record], keys.other)


def with_need(keys: KeySet, kid: str, until: int) -> KeySet:
    """Keep a key, if it is there, until this Unix second at least."""
    needed = [
        record._replace(needed_until=max(record.needed_until, until)) if record.kid == kid else record
        for record in keys.keys
    ]
    return KeySet.of(needed, keys.other)


def without_key(keys: KeySet, kid: str) -> KeySet:
    """
    :raises NotFound: there is no such key.
    """
    gone = named(keys, kid)
    return KeySet.of([record for record in keys.keys if record != gone], keys.other)
