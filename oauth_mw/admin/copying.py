"""Copy a whole store into another one, and count what is in a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from itertools import chain
from typing import NamedTuple, TypeVar

from ..errors import AdminError, StoreUnavailable
from ..model import EVICTION, Clock, KeySet, LogRecord, StoredClient, StoreStats
from ..protocols import Copyable, Store
from ..tokens.opaque import CLOCK_MARGIN
from .trail import recording

T = TypeVar("T")


class Count(NamedTuple):
    """How many were copied, and how many were present before."""

    copied: int
    present: int


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a copy."""

    clients: Count
    secrets: Count
    deleted: Count
    tokens: Count
    events: Count
    keys: Count = Count(0, 0)

    @property
    def changed(self) -> bool:
        return any(count.copied for count in astuple(self))


def stats(store: Store, *, clock: Clock = time.time) -> StoreStats:
    """Count what is in a store."""
    return store.stats(int(clock()))


def copy_store(
    source: Store, target: Store, *, clock: Clock = time.time, progress: Callable[[int], None] = lambda tokens: None
) -> Copied:
    """Copy clients, secrets, deleted ids, the revocation log, signing keys and all unexpired tokens.

    Both may be in use meanwhile, but only ``source`` may change. What revokes tokens is copied before the tokens, so
    that a copy that was interrupted accepts none that ``source`` refused. Another call completes it, or brings it up to
    date.

    :param target: empty, or a copy of ``source`` in which clients, keys and revocations were changed by copies alone.
        Tokens that it has issued are kept.
    :param progress: called with how many more tokens have been compared.
    :raises AdminError: ``target`` is neither, or one of them is in memory.
    :raises StoreUnavailable: one of them does not answer; the call can be repeated.
    """
    with recording(target, lambda: [("store_copied", {"source": source.url})]) as record:
        copied = _Copying(source, target).run(int(clock()), progress)
        if copied.changed:
            record("store_copied", source=source.url)
    return copied


class _Copying:
    def __init__(self, source: Store, target: Store) -> None:
        self._source, self._target = source, target
        self._reader, self._writer = _copyable(source), _copyable(target)
        self._origin = ""
        self._position = 0  # up to which the target has the source's log
        self._clients: dict[str, tuple[bool, int]] = {}  # by id: whether it is deleted, and how many secrets it has
        self._copied: dict[str, tuple[bool, int]] = {}
        self._has_clients = False  # all of them, as they were during this copy
        self._events = 0
        self._keys = Count(0, 0)

    def run(self, now: int, progress: Callable[[int], None]) -> Copied:
        self._begin()
        events_present = self._count_events()
        self._copy_all_but_tokens()
        copied = seen = 0
        for keys in self._read(self._reader.read_token_keys(now - CLOCK_MARGIN)):
            if keys:
                copied += self._copy_tokens(keys)
                seen += len(keys)
                progress(len(keys))
        # What was revoked or changed meanwhile.
        self._copy_all_but_tokens()
        with _naming(self._target):
            # Also if nothing had to be written, to confirm that all is stored, by the standbys too.
            self._writer.put_tokens(self._origin, [])
        return Copied(
            clients=self._count(lambda deleted, secrets: not deleted),
            secrets=self._count(lambda deleted, secrets: secrets),
            deleted=self._count(lambda deleted, secrets: deleted),
            tokens=Count(copied, seen - copied),
            events=Count(self._events, events_present),
            keys=self._keys,
        )

    def _begin(self) -> None:
        with _naming(self._source):
            there = self._reader.log_state()
        with _naming(self._target):
            if self._writer.log_state().store_id == there.store_id:
                raise AdminError(f"{self._source.url} and {self._target.url} are the same store")
            self._writer.become_copy(there.store_id)
            here = self._writer.log_state()
        if here.position > there.position:
            raise AdminError(
                f"{self._source.url} holds less than was copied from it before: a backup of it was restored"
            )
        self._origin, self._position = there.store_id, here.position

    def _count_events(self) -> int:
        """How many of the source's events the target has."""
        count = 0
        for event in chain.from_iterable(self._read(self._reader.read_events(0)) if self._position else ()):
            if event.position > self._position:
                break
            count += 1
        return count

    def _copy_all_but_tokens(self) -> None:
        self._copy_events()
        self._copy_clients()
        # A client may have been revoked since the events were read: its record must not be ahead of the log for long.
        self._copy_events()
        # A new key makes all tokens valid that it has signed, so what revokes some of them is copied first.
        self._copy_keys(new=True)

    def _copy_clients(self) -> None:
        for batch in self._read(self._reader.read_clients()):
            self._put_clients(batch)
        self._has_clients = True

    def _put_clients(self, batch: Sequence[StoredClient]) -> None:
        with _naming(self._target):
            copied = self._writer.put_clients(self._origin, batch)
        self._copy_uses([each.client.client_id for each in batch])
        for clients, counted in (batch, self._clients), (copied, self._copied):
            counted.update({each.client.client_id: (each.deleted, len(each.client.secrets)) for each in clients})

    def _copy_uses(self, client_ids: Sequence[str]) -> None:
        """Copy when secrets were last used. Counters are not copied: they begin anew."""
        with _naming(self._source):
            uses = self._source.last_uses(client_ids)
        if uses:
            with _naming(self._target):
                self._target.note_uses(uses)

    def _copy_keys(self, *, new: bool) -> None:
        """Copy the keys that the target has; with ``new`` also the others."""
        with _naming(self._source):
            there = self._source.read_keys()
        with _naming(self._target):
            here = self._target.read_keys()
            keys = there if new else KeySet.of([key for key in there.keys if here.find(key.kid)], there.other)
            copied = self._keys.copied + self._writer.put_keys(self._origin, keys)
        self._keys = Count(copied, max(len(there.keys) - copied, 0))

    def _copy_events(self) -> None:
        with _naming(self._source):
            end = self._reader.log_state().position
        # A removed key is deleted from the target before its followers read that it was removed.
        self._copy_keys(new=False)
        kept: list[LogRecord] = []
        for batch in self._read(self._reader.read_events(self._position)):
            events = kept + [event for event in batch if event.position <= end]
            # The next event may spare tokens from this one: a follower of the target must read both at once.
            kept = events[-1:] if events and events[-1].key is None else []
            if events := events[: len(events) - len(kept)]:
                self._copy_clients_of(events)
                self._put_events(events, events[-1].position)
        self._put_events(kept, end)

    def _copy_clients_of(self, events: Sequence[LogRecord]) -> None:
        """Write the changed clients before followers of the target read that they have changed."""
        changed = sorted({event.client_id for event in events if event.key == EVICTION})
        with _naming(self._source):
            found = [self._source.find_client(client_id) for client_id in changed]
        if clients := [StoredClient(client) for client in found if client]:
            self._put_clients(clients)

    def _put_events(self, events: Sequence[LogRecord], position: int) -> None:
        # Read after the events, so that it counts all that were swept before.
        with _naming(self._source):
            swept_until = self._reader.log_state().swept_until
        if swept_until > self._position and not self._has_clients:
            # Followers of the target start anew then. What was swept revokes tokens by its client's record alone.
            self._copy_clients()
        with _naming(self._target):
            self._writer.put_events(self._origin, events, position, min(swept_until, position))
        self._events += len(events)
        self._position = position

    def _copy_tokens(self, keys: Sequence[bytes]) -> int:
        """How many of them the target did not have."""
        with _naming(self._target):
            keys = self._writer.missing(keys)
        if not keys:
            return 0
        with _naming(self._source):
            tokens = self._reader.read_tokens(keys)
            end = self._reader.log_state().position
        # What decides about a token is copied before it: its client, and all that was revoked until it was read.
        if any(token.client_id not in self._clients for _, token in tokens):
            self._copy_all_but_tokens()
        elif end > self._position:
            self._copy_events()
        tokens = [each for each in tokens if each[1].client_id in self._clients]
        if not tokens:
            return 0
        with _naming(self._target):
            return self._writer.put_tokens(self._origin, tokens)

    def _count(self, count: Callable[[bool, int], int]) -> Count:
        copied = sum(count(*each) for each in self._copied.values())
        return Count(copied, sum(count(*each) for each in self._clients.values()) - copied)

    def _read(self, batches: Iterator[T]) -> Iterator[T]:
        while True:
            with _naming(self._source):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def _copyable(store: Store) -> Copyable:
    copyable = store.copyable()
    if copyable is None:
        raise AdminError(f"{store.url} is lost when its process ends: it cannot be copied")
    return copyable


@contextmanager
def _naming(store: Store) -> Iterator[None]:
    """Name the store in the text of an outage."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{store.url}: {error.reason}") from None
