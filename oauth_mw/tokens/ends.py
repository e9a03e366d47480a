"""All that ended early, in memory: what makes tokens revocable that no row in the store tells about.

It is as fresh as the cache of verified tokens, because the same looks at the revocation log feed
both. Single tokens are forgotten once no clock can accept them any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from ..model import LOG_KEEP_SECONDS, Clock, Ended

_Known = tuple[dict[str, set[bytes]], dict[str, int]]


class Ends:
    """Single tokens by client and storage key, and for each client the last event that ended all.

    Nobody may ask before :meth:`restart` was told the whole log.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # In one piece, so that whoever asks meanwhile sees all of what was known before a restart, or after it.
        self._known: _Known = {}, {}
        self._by_expiry: list[tuple[bytes, str]] = []

    def __len__(self) -> int:
        """How many single tokens are known."""
        return len(self._by_expiry)

    def restart(self, events: Iterable[Ended]) -> None:
        """Forget all, and begin with the whole log."""
        known: _Known = {}, {}
        tokens, clients = known
        for ended in events:
            if ended.key is None:
                clients[ended.client_id] = max(ended.position, clients.get(ended.client_id, 0))
            else:
                tokens.setdefault(ended.client_id, set()).add(ended.key)
        self._known = known
        self._order(tokens)

    def learn(self, events: Iterable[Ended]) -> None:
        tokens, clients = self._known
        for ended in events:
            if ended.key is None:
                clients[ended.client_id] = max(ended.position, clients.get(ended.client_id, 0))
                # With all of a client's tokens those ended that were known singly.
                if tokens.pop(ended.client_id, None):
                    self._order(tokens)
            elif ended.alone and ended.key not in tokens.setdefault(ended.client_id, set()):
                tokens[ended.client_id].add(ended.key)
                heappush(self._by_expiry, (ended.key, ended.client_id))
        now = self._clock()
        while self._by_expiry and int.from_bytes(self._by_expiry[0][0][:4]) + LOG_KEEP_SECONDS < now:
            key, client_id = heappop(self._by_expiry)
            tokens[client_id].discard(key)
            if not tokens[client_id]:
                del tokens[client_id]

    def _order(self, tokens: dict[str, set[bytes]]) -> None:
        self._by_expiry = [(key, client_id) for client_id, keys in tokens.items() for key in keys]
        heapify(self._by_expiry)

    def has_ended(self, key: bytes, client_id: str, position: int) -> bool:
        """Whether a token of this client is dead that was issued when the log stood at ``position``."""
        tokens, clients = self._known
        return key in tokens.get(client_id, ()) or position < clients.get(client_id, 0)
