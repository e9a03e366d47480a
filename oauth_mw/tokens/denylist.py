"""All that ended early, in memory: what makes tokens revocable that no row in the store tells about.

It is as fresh as the cache of verified tokens, because the same looks at the revocation log feed
both. A single token is forgotten once no clock can accept it any more, and this process has seen the time pass that the
token had left when it ended: a clock that was ahead for a while makes none good again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from ..model import LOG_KEEP_SECONDS, Clock, Revocation


class _Known(NamedTuple):
    """In one piece, so that whoever asks meanwhile sees all of what was known before a restart, or after it.

    ``due`` is a heap: when each may be forgotten. Beside the tokens it may have some that ended once more, with all of
    their client.
    """

    tokens: dict[str, set[bytes]]
    clients: dict[str, int]
    due: list[tuple[float, bytes, str]]

    def add(self, event: Revocation, now: float, monotonic: float) -> None:
        if event.key is None:
            self.clients[event.client_id] = max(event.position, self.clients.get(event.client_id, 0))
        elif event.log_only:
            keys = self.tokens.setdefault(event.client_id, set())
            if event.key not in keys:
                # First, so that after a fork between the two it is told again, not kept for ever.
                left = int.from_bytes(event.key[:4]) - min(event.position / 1_000_000, now)
                heappush(self.due, (monotonic + max(left, 0) + LOG_KEEP_SECONDS, event.key, event.client_id))
                keys.add(event.key)

    def drop_due(self, now: float, monotonic: float) -> None:
        while self.due and self.due[0][0] < monotonic:
            _, key, client_id = self.due[0]
            left = int.from_bytes(key[:4]) + LOG_KEEP_SECONDS - now
            if left >= 0:
                heapreplace(self.due, (monotonic + left, key, client_id))
                continue
            keys = self.tokens.get(client_id)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self.tokens[client_id]
            heappop(self.due)


class Denylist:
    """Single tokens by client and storage key, and for each client the last event that ended all.

    Nobody may ask before it was told the whole log: by :meth:`gather`, in parts, after :meth:`begin`, until
    :meth:`settle`.

    :param monotonic: a clock that never goes back and never jumps.
    """

    def __init__(self, clock: Clock, monotonic: Clock = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._known = self._coming = _Known({}, {}, [])
        self._dropped = 0

    def __len__(self) -> int:
        """How many single tokens are known."""
        return sum(map(len, self._known.tokens.values()))

    def begin(self) -> None:
        """Gather the whole log, beside what is known so far."""
        self._coming = _Known({}, {}, [])

    def gather(self, events: Iterable[Revocation]) -> None:
        """
        :param events: in any order, and any of them more than once.
        """
        now, monotonic = self._clock(), self._monotonic()
        for event in events:
            self._coming.add(event, now, monotonic)

    def settle(self) -> None:
        """Know what was gathered, and nothing else."""
        self._known, self._coming = self._coming, _Known({}, {}, [])

    def restart(self, events: Iterable[Revocation]) -> None:
        """Forget all, and begin with the whole log."""
        self.begin()
        self.gather(events)
        self.settle()

    def learn(self, events: Iterable[Revocation]) -> None:
        """
        :param events: in the order of the log.
        """
        known, now, monotonic = self._known, self._clock(), self._monotonic()
        for event in events:
            known.add(event, now, monotonic)
            if event.key is None:
                # With all of a client's tokens those ended that were known singly.
                self._dropped += len(known.tokens.pop(event.client_id, ()))
        if 2 * self._dropped > len(known.due):
            self._tidy(known)
        known.drop_due(now, monotonic)

    def _tidy(self, known: _Known) -> None:
        """Not at each end of a client: a client can have one as often as it likes, and there may be many others."""
        self._dropped = 0
        left = [each for each in known.due if each[1] in known.tokens.get(each[2], ())]
        heapify(left)
        known.due[:] = left

    def is_revoked(self, key: bytes, client_id: str, position: int) -> bool:
        """Whether a token of this client is revoked.

        :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
        """
        tokens, clients, _ = self._known
        return key in tokens.get(client_id, ()) or position < clients.get(client_id, 0)
