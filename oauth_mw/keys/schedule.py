"""The order of signing keys: which one signs, which are published, and how each change affects them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import NotFound
from ..model import KeyRecord, KeySet

# For clocks that differ.
MARGIN_SECONDS = 24 * 3600


def current(records: Sequence[KeyRecord], now: int) -> KeyRecord | None:
    """The last key that has begun to sign; before any has, the one that begins first."""
    return next(signing_order(records, now), None)


def signing_order(records: Sequence[KeyRecord], now: int) -> Iterator[KeyRecord]:
    """Keys in order of preference for signing: active ones, newest first; then future ones, oldest first.

    The first that a worker can decrypt signs.
    """
    yield from (record for record in reversed(records) if record.signs_from <= now)
    yield from (record for record in records if record.signs_from > now)


def published(records: Sequence[KeyRecord], now: int) -> list[KeyRecord]:
    """The keys whose tokens are valid. All tokens of the others have expired, by every machine's clock."""
    signing = current(records, now)
    first = records.index(signing) if signing else 0
    followed = zip(records[:first], records[1:], strict=False)
    return [
        *(each for each, following in followed if max(each.needed_until, following.signs_from) + MARGIN_SECONDS >= now),
        *records[first:],
    ]


def is_encrypted(record: KeyRecord) -> bool:
    return "ENCRYPTED" in record.private.partition("\n")[0]


def key_of(keys: KeySet, kid: str) -> KeyRecord:
    """Return the key with this id; ``NotFound`` is raised if there is none."""
    if record := keys.find(kid):
        return record
    raise NotFound(f"there is no signing key {kid!r}")


def with_key(keys: KeySet, record: KeyRecord, latest: str, now: int) -> KeySet:
    """Add a key if the newest is ``latest`` (empty: there is none), and drop those that are no longer needed.

    So exactly one of several workers adds a key that all of them found missing. For the others nothing changes.
    """
    last = keys.keys[-1].kid if keys.keys else ""
    if last != latest or keys.find(record.kid):
        return keys
    return KeySet.of([*published(keys.keys, now), record], keys.other)


def with_need(keys: KeySet, kid: str, until: int) -> KeySet:
    """Keep a key published until this Unix second at least, if it exists."""
    found = keys.find(kid)
    if found is None or found.needed_until >= until:
        return keys
    return KeySet.of([*(each for each in keys.keys if each != found), found._replace(needed_until=until)], keys.other)


def without_key(keys: KeySet, kid: str) -> KeySet:
    """Remove the key with this id; ``NotFound`` is raised if there is none."""
    retired = key_of(keys, kid)
    return KeySet.of([each for each in keys.keys if each != retired], keys.other)
