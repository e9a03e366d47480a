"""A store in the process's own memory: for tests, trials and single-process servers."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...credentials import verifiers_of
from ...model import (
    CLIENTS_PER_PAGE,
    LOG_KEEP_SECONDS,
    MAX_LOG_ONLY_PER_CLIENT,
    Client,
    Clock,
    DenylistPage,
    KeySet,
    LogPage,
    Revocation,
    TokenRecord,
)
from ...protocols import Copyable
from .contents import Contents

LOG_LENGTH = 10_000

_NOBODY = Client("", "")


class MemoryStore:
    """Everything under one lock; every method is atomic. See the protocols in :mod:`oauth_mw.protocols`."""

    url = "memory://"
    single_process = True
    immediate = True
    rows_tell_revocation = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = Contents()
        self.generation: Callable[[], object] = partial(operator.getitem, self._all.head, 0)

    def open(self, *, create: bool) -> None:
        """Nothing to open."""

    def find_verifiers(self, client_id: str) -> bytes:
        with self._all.lock:
            return verifiers_of(self._all.clients.get(client_id, _NOBODY))

    def find_client(self, client_id: str) -> Client | None:
        with self._all.lock:
            return self._all.clients.get(client_id)

    def clients(self, after: str = "") -> Sequence[Client]:
        with self._all.lock:
            ids = heapq.nsmallest(CLIENTS_PER_PAGE, (client_id for client_id in self._all.clients if client_id > after))
            return [self._all.clients[client_id] for client_id in ids]

    def add_client(self, client: Client) -> bool:
        with self._all.lock:
            if client.client_id in self._all.clients or client.client_id in self._all.gone:
                return False
            self._all.clients[client.client_id] = client
            return True

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        with self._all.lock:
            known = self._all.clients.get(client_id)
            if known is None:
                return None
            client = change(known)
            if revoke_tokens:
                self._all.alone.pop(client_id, None)
                self._all.ended[client_id] = self._append(client_id)
            if client is None:
                del self._all.clients[client_id]
                self._all.gone.add(client_id)
                return None
            client = replace(client, revoked_before=self._all.ended.get(client_id, 0))
            self._all.clients[client_id] = client
            return client

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        with self._all.lock:
            self._all.tokens[key] = token
            heapq.heappush(self._all.by_expiry, key)

    def find_token(self, key: bytes) -> TokenRecord | None:
        with self._all.lock:
            token = self._all.tokens.get(key)
            if token and token.position < self._all.ended.get(token.client_id, 0):
                return token._replace(revoked=True)
            return token

    def revoke_token(self, key: bytes) -> bool:
        with self._all.lock:
            token = self._all.tokens.get(key)
            if token is None or token.revoked or token.position < self._all.ended.get(token.client_id, 0):
                return False
            self._all.tokens[key] = token._replace(revoked=True)
            self._all.revoked[key] = self._append(token.client_id, key)
            return True

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        with self._all.lock:
            alone = self._all.alone.setdefault(client_id, {})
            if key in alone or position < self._all.ended.get(client_id, 0):
                return 0
            alone[key] = self._append(client_id, key, alone=True)
            live = self._kept(alone)
            if len(alone) > MAX_LOG_ONLY_PER_CLIENT:
                self._all.alone[client_id] = live  # not earlier: the clock may be ahead for a while
            return len(live)

    def remember_once(self, key: bytes, until: int) -> bool:
        with self._all.lock:
            remembered, now = self._all.remembered, int(self._clock())
            while remembered and remembered[0][0] < now:
                self._all.once.discard(heapq.heappop(remembered)[1])
            if key in self._all.once:
                return False
            heapq.heappush(remembered, (until, key))
            self._all.once.add(key)
            return True

    def read_keys(self) -> KeySet:
        return self._all.keys

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        with self._all.lock:
            keys = change(self._all.keys)
            if revoke_all:
                self._append("")
            self._all.keys = keys
            return keys

    def sweep(self, now: int, limit: int) -> int:
        swept = 0
        with self._all.lock:
            while swept < limit and self._all.by_expiry and int.from_bytes(self._all.by_expiry[0][:4]) < now:
                key = heapq.heappop(self._all.by_expiry)
                del self._all.tokens[key]
                self._all.revoked.pop(key, None)
                swept += 1
        return swept

    def count_tokens(self, before: int | None = None) -> int:
        with self._all.lock:
            if before is None:
                return len(self._all.tokens)
            return sum(int.from_bytes(key[:4]) < before for key in self._all.tokens)

    def _append(self, client_id: str, key: bytes | None = None, *, alone: bool = False) -> int:
        position = max(self._all.head[0] + 1, int(self._clock() * 1_000_000))
        self._all.log.append(Revocation(position, client_id, key, alone))
        if len(self._all.log) > LOG_LENGTH:
            self._all.floor = self._all.log[LOG_LENGTH // 2 - 1].position
            del self._all.log[: LOG_LENGTH // 2]
        self._all.head[0] = position
        return position

    def verify(self) -> None:
        """Nothing stands behind the cell that could be exchanged."""

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """The generation says it all."""

    def waiter(self) -> None:
        """Nothing wakes a follower."""

    def read_log(self, store_id: str, after: int) -> LogPage:
        with self._all.lock:
            complete = store_id == self._all.store_id and self._all.floor <= after <= self._all.head[0]
            events = [event for event in self._all.log if event.position > after] if complete else []
            return LogPage(self._all.store_id, self._all.head[0], events, complete)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        with self._all.lock:
            events = [Revocation(position, client_id) for client_id, position in self._all.ended.items() if position]
            for client_id, keys in self._all.alone.items():
                events += [Revocation(position, client_id, key, True) for key, position in self._kept(keys).items()]
            return DenylistPage(events, None)

    def _kept(self, alone: dict[bytes, int]) -> dict[bytes, int]:
        now = self._clock()
        return {key: ended for key, ended in alone.items() if int.from_bytes(key[:4]) + LOG_KEEP_SECONDS >= now}

    def copyable(self) -> Copyable:
        from .copying import MemoryCopying

        return MemoryCopying(self._all, self.url)

    def warnings(self) -> Sequence[str]:
        return ["memory:// serves one process only, and everything in it ends with the process"]

    def close(self) -> None:
        """Nothing to close."""
