"""Copy all of a store into another one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ..errors import AdminError, StoreUnavailable
from ..model import Clock, LogRecord, StoreStats
from ..protocols import Store
from ..tokens.opaque import CLOCK_MARGIN

T = TypeVar("T")


class Amount(NamedTuple):
    """How many were written, and how many were there already."""

    moved: int
    there: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy consists of."""

    clients: Amount
    secrets: Amount
    deleted: Amount
    tokens: Amount
    events: Amount
    keys: Amount = Amount(0, 0)

    @property
    def changed(self) -> bool:
        parts = (self.clients, self.secrets, self.deleted, self.tokens, self.events, self.keys)
        return any(amount.moved for amount in parts)


def stats(store: Store, *, clock: Clock = time.time) -> StoreStats:
    """What is in a store.

    :raises StoreUnavailable: it does not answer.
    """
    return store.copyable().stats(int(clock()))


def copy_store(
    source: Store, target: Store, *, clock: Clock = time.time, told: Callable[[int], None] = lambda tokens: None
) -> Copied:
    """Copy clients, secrets, deleted ids, the revocation log, signing keys and all unexpired tokens.

    Both may be in use meanwhile, but only ``source`` may change. What ends tokens goes before the
    tokens, so that a copy that was interrupted accepts none that ``source`` then refused. Another
    call goes on, and brings what has changed.

    :param target: empty, or a copy of ``source`` that was changed by nobody else; tokens it issued itself stay.
    :param told: called with how many tokens have been dealt with since the last call.
    :raises AdminError: ``target`` is neither; nothing was written.
    :raises StoreUnavailable: one of them does not answer; the call can be repeated.
    """
    return _Copying(source, target).run(int(clock()), told)


class _Copying:
    def __init__(self, source: Store, target: Store) -> None:
        self._source, self._target = source.copyable(), target.copyable()
        self._read_keys = source.read_keys, target.read_keys
        self._source_url, self._target_url = source.url, target.url
        self._origin = ""
        self._position = 0  # up to which the target has the source's log
        self._clients: dict[str, tuple[bool, int]] = {}  # by id: deleted, and how many secrets
        self._moved: dict[str, tuple[bool, int]] = {}
        self._events = 0
        self._keys = Amount(0, 0)

    def run(self, now: int, told: Callable[[int], None]) -> Copied:
        self._begin()
        events_there = self._count_events()
        self._copy_all_but_tokens()
        moved = seen = 0
        for keys in _each(self._source.read_token_keys(now - CLOCK_MARGIN), self._source_url):
            if keys:
                moved += self._copy_tokens(keys)
                seen += len(keys)
                told(len(keys))
        # What was ended or changed meanwhile.
        self._copy_all_but_tokens()
        with _asking(self._target_url):
            # Though nothing had to be written: what was must have been kept, by the standbys too.
            self._target.take_tokens(self._origin, [])
        return Copied(
            clients=self._amount(lambda deleted, secrets: not deleted),
            secrets=self._amount(lambda deleted, secrets: secrets),
            deleted=self._amount(lambda deleted, secrets: deleted),
            tokens=Amount(moved, seen - moved),
            events=Amount(self._events, events_there),
            keys=self._keys,
        )

    def _begin(self) -> None:
        with _asking(self._source_url):
            there = self._source.log_state()
        with _asking(self._target_url):
            if self._target.log_state().store_id == there.store_id:
                raise AdminError(f"{self._source_url} and {self._target_url} are the same store")
            self._target.become_copy(there.store_id)
            here = self._target.log_state()
        if here.position > there.position:
            raise AdminError(
                f"{self._source_url} stands behind what was copied from it: it is an older state of itself"
            )
        self._origin, self._position = there.store_id, here.position

    def _count_events(self) -> int:
        """How many of the source's events the target has."""
        count = 0
        for batch in _each(self._source.read_events(0), self._source_url) if self._position else ():
            here = sum(event.position <= self._position for event in batch)
            count += here
            if here < len(batch):
                break
        return count

    def _copy_all_but_tokens(self) -> None:
        self._copy_events()
        for batch in _each(self._source.read_clients(), self._source_url):
            with _asking(self._target_url):
                taken = self._target.take_clients(self._origin, batch)
            for records, into in (batch, self._clients), (taken, self._moved):
                into.update({each.client.client_id: (each.deleted, len(each.client.secrets)) for each in records})
        # A client may have been ended since: the log may not stand before that for long.
        self._copy_events()
        # With a key come all tokens that it has signed: before it goes all that ended some of them.
        self._copy_keys(new=True)

    def _copy_keys(self, *, new: bool) -> None:
        """
        :param new: also those that are not there yet.
        """
        with _asking(self._source_url):
            there = self._read_keys[0]().keys
        with _asking(self._target_url):
            here = {record.kid for record in self._read_keys[1]().keys}
            taken = [record for record in there if new or record.kid in here]
            moved = self._keys.moved + self._target.take_signing_keys(self._origin, taken)
        self._keys = Amount(moved, max(len(there) - moved, 0))

    def _copy_events(self) -> None:
        with _asking(self._source_url):
            end = self._source.log_state().position
        # When its followers learn that a key was removed, it must be gone.
        self._copy_keys(new=False)
        for batch in _each(self._source.read_events(self._position), self._source_url):
            events = [event for event in batch if event.position <= end]
            if events:
                self._take_events(events, events[-1].position)
        self._take_events([], end)

    def _take_events(self, events: Sequence[LogRecord], position: int) -> None:
        # Asked for after the events were read, so that it tells of all that were swept before.
        with _asking(self._source_url):
            floor = self._source.log_state().floor
        with _asking(self._target_url):
            self._target.take_events(self._origin, events, position, min(floor, position))
        self._events += len(events)
        self._position = position

    def _copy_tokens(self, keys: Sequence[bytes]) -> int:
        """How many of them were not there."""
        with _asking(self._target_url):
            keys = self._target.missing(keys)
        if not keys:
            return 0
        with _asking(self._source_url):
            tokens = self._source.read_tokens(keys)
            end = self._source.log_state().position
        # Before a token goes what it is judged by: its client, and all that was revoked until it was read.
        if any(token.client_id not in self._clients for _, token in tokens):
            self._copy_all_but_tokens()
        elif end > self._position:
            self._copy_events()
        tokens = [each for each in tokens if each[1].client_id in self._clients]
        if not tokens:
            return 0
        with _asking(self._target_url):
            return self._target.take_tokens(self._origin, tokens)

    def _amount(self, count: Callable[[bool, int], int]) -> Amount:
        moved = sum(count(*each) for each in self._moved.values())
        return Amount(moved, sum(count(*each) for each in self._clients.values()) - moved)


def _each(batches: Iterator[T], url: str) -> Iterator[T]:
    while True:
        with _asking(url):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Two stores are at work: an outage says of which."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{url}: {error.reason}") from None
