"""All that ended early, in memory: what makes tokens revocable that have no row in the store.

It is as fresh as the cache of verified tokens, because the same looks at the revocation log feed
both. Single tokens are forgotten once no clock can accept them any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from ..model import Ended

# The log keeps an event for so many seconds after the token's expiry: for clocks that differ, and for a leeway.
KEPT_SECONDS = 24 * 3600


class Ends:
    """Single tokens by storage key, which begins with their expiry, and for each client the last event that ended all.

    Nobody may ask before :meth:`restart` was told the whole log.
    """

    def __init__(self) -> None:
        self._tokens: set[bytes] = set()
        self._by_expiry: list[bytes] = []
        self._clients: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def restart(self, events: Iterable[Ended]) -> None:
        """Forget all, and begin with the whole log."""
        tokens, clients = set(), dict[str, int]()
        for ended in events:
            if ended.key is not None:
                tokens.add(ended.key)
            else:
                clients[ended.client_id] = max(ended.position, clients.get(ended.client_id, 0))
        by_expiry = list(tokens)
        heapify(by_expiry)
        self._tokens, self._by_expiry, self._clients = tokens, by_expiry, clients

    def learn(self, events: Iterable[Ended], now: float) -> None:
        """
        :param now: Unix seconds.
        """
        for ended in events:
            if ended.key is None:
                self._clients[ended.client_id] = max(ended.position, self._clients.get(ended.client_id, 0))
            elif ended.key not in self._tokens:
                self._tokens.add(ended.key)
                heappush(self._by_expiry, ended.key)
        while self._by_expiry and int.from_bytes(self._by_expiry[0][:4]) + KEPT_SECONDS < now:
            self._tokens.discard(heappop(self._by_expiry))

    def has_ended(self, key: bytes, client_id: str, position: int) -> bool:
        """Whether a token of this client is dead that was issued when the log stood at ``position``."""
        return key in self._tokens or position < self._clients.get(client_id, 0)
