"""How signing keys follow each other, from their records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model import KeyRecord

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
