"""The denylist: revocations that no token's row shows, in memory.

The polls that keep the cache of verified tokens up to date keep the denylist up to date too. A token revoked singly is
dropped once no machine's clock can accept it, and the lifetime that it had left when it was revoked has passed on this
process's monotonic clock: a clock that was ahead for a while makes no revoked token valid again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, NamedTuple

from ..cutoffs import Cutoff, spares
from ..deadlines import deadline_in
from ..errors import StoreUnavailable
from ..model import LOG_KEEP_SECONDS, Clock, LogPage, Revocation
from ..protocols import RevocationLog

_NONE = Cutoff()


class NotLoaded(StoreUnavailable):
    """The denylist is not fully loaded; the next request continues."""


class _Entries(NamedTuple):
    """One object, so that a reader sees all entries from before a reload, or all from after it.

    ``due`` is a heap of when each token may be dropped, also of tokens whose client had all tokens revoked since.
    """

    tokens: dict[str, set[bytes]]
    clients: dict[str, Cutoff]
    due: list[tuple[float, bytes, str]]

    def add(self, event: Revocation, now: float, monotonic: float) -> None:
        if event.key is None:
            self._cut_off(event.client_id, Cutoff(event.position))
        elif spares(event.key):
            self._cut_off(event.client_id, Cutoff(event.position - 1, event.key))
        elif event.log_only:
            keys = self.tokens.setdefault(event.client_id, set())
            if event.key not in keys:
                # The heap first: after a fork between the two, the event is added again, and not kept for ever.
                left = int.from_bytes(event.key[:4]) - min(event.position / 1_000_000, now)
                heappush(self.due, (monotonic + max(left, 0) + LOG_KEEP_SECONDS, event.key, event.client_id))
                keys.add(event.key)

    def _cut_off(self, client_id: str, cutoff: Cutoff) -> None:
        self.clients[client_id] = max(cutoff, self.clients.get(client_id, cutoff))

    def drop_due(self, now: float, monotonic: float) -> None:
        while self.due and self.due[0][0] < monotonic:
            _, key, client_id = self.due[0]
            left = int.from_bytes(key[:4]) + LOG_KEEP_SECONDS - now
            if left >= 0:
                heapreplace(self.due, (monotonic + left, key, client_id))
                continue
            if keys := self.tokens.get(client_id):
                keys.discard(key)
                if not keys:
                    del self.tokens[client_id]
            heappop(self.due)


class Denylist:
    """Tokens revoked singly, by client and storage key; and for each client which tokens are revoked together.

    Call :meth:`load`, then :meth:`settle`, before the first :meth:`is_revoked`.

    :param monotonic: a clock that never goes back and never jumps.
    """

    def __init__(self, clock: Clock, monotonic: Clock = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._entries = self._gathered = _Entries({}, {}, [])
        self._stale_due = 0
        self._first: LogPage | None = None
        self._next: tuple[Any, ...] | None = ()

    def __len__(self) -> int:
        """The number of tokens revoked singly."""
        return sum(map(len, self._entries.tokens.values()))

    def load(self, log: RevocationLog, page: LogPage, timeout: float) -> LogPage:
        """Gather the whole log in pages, for at most half of ``timeout`` seconds; the next call continues.

        The present entries are used until :meth:`settle`.

        :param page: the log's state now.
        :return: its state at the end.
        :raises NotLoaded: it takes longer.
        :raises StoreUnavailable: the store does not answer, or was replaced meanwhile.
        """
        first = self._first
        if first is None or first.store_id != page.store_id:
            self._gathered, self._next = _Entries({}, {}, []), ()
            first = self._first = page
        until = deadline_in(timeout / 2)
        while self._next is not None:
            part = log.read_denylist(self._next)
            self._gather(part.events)
            self._next = part.following
            if self._next is not None and time.monotonic() >= until:
                raise NotLoaded("the denylist is long and not fully loaded yet; the next request continues")
        # Events that were appended meanwhile may be in no page, and pages of two stores do not belong together.
        now = log.read_log(first.store_id, first.position)
        self._first = None
        if not now.complete and now[:2] != first[:2]:
            raise StoreUnavailable("the store was replaced while the denylist was loaded; the next request starts anew")
        self._gather(now.events)
        return now._replace(events=(), complete=False)

    def _gather(self, events: Iterable[Revocation]) -> None:
        # They come in any order, some of them repeatedly.
        now, monotonic = self._clock(), self._monotonic()
        for event in events:
            self._gathered.add(event, now, monotonic)

    def settle(self) -> None:
        """Replace all entries by the gathered ones."""
        self._entries, self._gathered = self._gathered, _Entries({}, {}, [])

    def apply(self, events: Sequence[Revocation]) -> None:
        """Apply events in the order of the log."""
        entries, now, monotonic = self._entries, self._clock(), self._monotonic()
        # An event that spares tokens also says that all others are revoked. Without the one before it, no other thread
        # refuses those meanwhile.
        spared = {event.position - 1 for event in events if spares(event.key)}
        for event in events:
            if event.key is None and event.position in spared:
                continue
            entries.add(event, now, monotonic)
            if event.key is None:
                self._stale_due += len(entries.tokens.pop(event.client_id, ()))
        # Not at each such event: a client can cause many, and other clients may have many entries.
        if 2 * self._stale_due > len(entries.due):
            self._stale_due = 0
            left = [each for each in entries.due if each[1] in entries.tokens.get(each[2], ())]
            heapify(left)
            entries.due[:] = left
        entries.drop_due(now, monotonic)

    def is_revoked(self, key: bytes, client_id: str, position: int, issued_at: int = 0) -> bool:
        """True if the token with this storage key and client is revoked.

        :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
        :param issued_at: the Unix second of its issue; 0: it was issued before any moment.
        """
        tokens, clients, _ = self._entries
        return key in tokens.get(client_id, ()) or clients.get(client_id, _NONE).covers(position, issued_at)


def load_denylist(log: RevocationLog, clock: Clock) -> Denylist:
    """Load the whole denylist, however long that takes; ``StoreUnavailable`` is raised if it cannot be read."""
    denylist = Denylist(clock)
    denylist.load(log, log.read_log("", -1), math.inf)
    denylist.settle()
    return denylist
