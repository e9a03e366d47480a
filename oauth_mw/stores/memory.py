"""A store in the process's own memory: for tests, trials and single-process servers."""

from __future__ import annotations

import heapq
import operator
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

from ..credentials import verifiers_of
from ..model import (
    CLIENTS_PER_PAGE,
    LOG_KEEP_SECONDS,
    MAX_LOG_ONLY_PER_CLIENT,
    Client,
    Clock,
    DenylistPage,
    KeySet,
    LogPage,
    Revocation,
    StoreStats,
    TokenRecord,
)
from .counts import count_clients

_NO_CLIENT = Client("", "")


class MemoryStore:
    """Everything under one lock; every method is atomic. See the protocols in :mod:`oauth_mw.protocols`.

    :param log_length: the most events that are kept in the log.
    """

    url = "memory://"
    single_process = True
    immediate = True
    rows_tell_revocation = True

    def __init__(self, clock: Clock, *, log_length: int = 10_000) -> None:
        self._clock = clock
        self._log_length = log_length
        self._lock = Lock()
        self._store_id = secrets.token_hex(8)
        self._clients: dict[str, Client] = {}
        self._deleted: set[str] = set()
        self._revoked_before: dict[str, int] = {}  # by client id, of deleted ones too
        self._tokens: dict[bytes, TokenRecord] = {}
        self._by_expiry: list[bytes] = []  # a heap of their keys
        self._log_only: dict[str, dict[bytes, int]] = {}  # by client id and key: the position of the event
        self._log: list[Revocation] = []
        self._swept_until = 0
        self._position = [0]  # the log's, in a cell that C code alone can read
        self._keys = KeySet()
        self._remembered: set[bytes] = set()
        self._forget: list[tuple[int, bytes]] = []  # a heap of them by their last seconds
        self.generation: Callable[[], object] = partial(operator.getitem, self._position, 0)

    def open(self, *, create: bool) -> None:
        """Nothing to open."""

    def find_verifiers(self, client_id: str) -> bytes:
        with self._lock:
            return verifiers_of(self._clients.get(client_id, _NO_CLIENT))

    def find_client(self, client_id: str) -> Client | None:
        with self._lock:
            return self._clients.get(client_id)

    def clients(self, after: str = "") -> Sequence[Client]:
        with self._lock:
            ids = heapq.nsmallest(CLIENTS_PER_PAGE, (client_id for client_id in self._clients if client_id > after))
            return [self._clients[client_id] for client_id in ids]

    def add_client(self, client: Client) -> bool:
        with self._lock:
            if client.client_id in self._clients or client.client_id in self._deleted:
                return False
            self._clients[client.client_id] = client
            return True

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        with self._lock:
            known = self._clients.get(client_id)
            if known is None:
                return None
            client = change(known)
            if revoke_tokens:
                self._log_only.pop(client_id, None)
                self._revoked_before[client_id] = self._append(client_id)
            if client is None:
                del self._clients[client_id]
                self._deleted.add(client_id)
                return None
            client = replace(client, revoked_before=self._revoked_before.get(client_id, 0))
            self._clients[client_id] = client
            return client

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        with self._lock:
            self._tokens[key] = token
            heapq.heappush(self._by_expiry, key)

    def find_token(self, key: bytes) -> TokenRecord | None:
        with self._lock:
            return self._token(key)

    def _token(self, key: bytes) -> TokenRecord | None:
        token = self._tokens.get(key)
        if token and token.position < self._revoked_before.get(token.client_id, 0):
            return token._replace(revoked=True)
        return token

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        with self._lock:
            token = self._token(key)
            if token is None:
                return bool(caller and self._append(caller, key))
            if token.revoked:
                return False
            self._tokens[key] = token._replace(revoked=True)
            self._append(token.client_id, key)
            return True

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        with self._lock:
            log_only = self._log_only.setdefault(client_id, {})
            if key in log_only or position < self._revoked_before.get(client_id, 0):
                return 0
            log_only[key] = self._append(client_id, key, log_only=True)
            live = self._live(log_only)
            if len(log_only) > MAX_LOG_ONLY_PER_CLIENT:
                self._log_only[client_id] = live  # not earlier: the clock may be ahead for a while
            return len(live)

    def remember_once(self, key: bytes, until: int) -> bool:
        with self._lock:
            now = int(self._clock())
            while self._forget and self._forget[0][0] < now:
                self._remembered.discard(heapq.heappop(self._forget)[1])
            if key in self._remembered:
                return False
            heapq.heappush(self._forget, (until, key))
            self._remembered.add(key)
            return True

    def read_keys(self) -> KeySet:
        return self._keys

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        with self._lock:
            keys = change(self._keys)
            if revoke_all:
                self._append("")
            self._keys = keys
            return keys

    def sweep(self, now: int, limit: int) -> int:
        with self._lock:
            before = len(self._tokens)
            while self._by_expiry and _expiry(self._by_expiry[0]) < now and before - len(self._tokens) < limit:
                del self._tokens[heapq.heappop(self._by_expiry)]
            return before - len(self._tokens)

    def count_tokens(self, before: int | None = None) -> int:
        with self._lock:
            return sum(before is None or _expiry(key) < before for key in self._tokens)

    def _append(self, client_id: str, key: bytes | None = None, *, log_only: bool = False) -> int:
        position = max(self._position[0] + 1, int(self._clock() * 1_000_000))
        self._log.append(Revocation(position, client_id, key, log_only))
        if len(self._log) > self._log_length:
            half = self._log_length // 2
            self._swept_until = self._log[half - 1].position
            del self._log[:half]
        self._position[0] = position
        return position

    def verify(self) -> None:
        """Never fails."""

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """Never called: the generation changes with every revocation."""

    def waiter(self) -> None:
        """Nothing wakes a follower."""

    def read_log(self, store_id: str, after: int) -> LogPage:
        with self._lock:
            complete = store_id == self._store_id and self._swept_until <= after <= self._position[0]
            events = [event for event in self._log if event.position > after] if complete else []
            return LogPage(self._store_id, self._position[0], events, complete)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        with self._lock:
            events = [Revocation(position, client_id) for client_id, position in self._revoked_before.items()]
            for client_id, keys in self._log_only.items():
                events += [Revocation(position, client_id, key, True) for key, position in self._live(keys).items()]
            return DenylistPage(events, None)

    def _live(self, log_only: dict[bytes, int]) -> dict[bytes, int]:
        over = self._clock() - LOG_KEEP_SECONDS
        return {key: position for key, position in log_only.items() if _expiry(key) >= over}

    def stats(self, now: int) -> StoreStats:
        counts = count_clients(self)._asdict()
        with self._lock:
            expired = sum(_expiry(key) <= now for key in self._tokens)
            return StoreStats(
                engine="memory",
                engine_version="",
                schema_version=0,
                store_id=self._store_id,
                position=self._position[0],
                deleted=len(self._deleted),
                unexpired=len(self._tokens) - expired,
                expired=expired,
                events=len(self._log),
                keys=len(self._keys.keys),
                **counts,
            )

    def copyable(self) -> None:
        """Nothing in memory outlives the process."""

    def warnings(self) -> Sequence[str]:
        return ["memory:// serves one process only, and everything in it ends with the process"]

    def close(self) -> None:
        """Nothing to close."""


def _expiry(key: bytes) -> int:
    return int.from_bytes(key[:4])
