"""A store in the process's own memory: for tests, trials and single-process servers."""

from __future__ import annotations

import heapq
import operator
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

from ..cutoffs import Cutoff
from ..model import (
    CLIENTS_PER_PAGE,
    COUNTER_KEEP_SECONDS,
    EVICTION,
    LOG_KEEP_SECONDS,
    TOKENS_PER_PAGE,
    Client,
    Clock,
    Count,
    Counted,
    DenylistPage,
    KeySet,
    LogPage,
    Revocation,
    Sizes,
    StoreStats,
    TokenRecord,
    Verifiers,
)
from .counters import full_places
from .counts import count_clients
from .records import BLANK_VERIFIERS, removed_secrets, verifiers_from, verifiers_with

_BLANK = verifiers_from(BLANK_VERIFIERS, 0)
_SIZES = Sizes()
_NONE = Cutoff()


class MemoryStore:
    """Everything under one lock; every method is atomic. See the protocols in :mod:`oauth_mw.protocols`.

    :param log_length: the most events that are kept in the log.
    """

    url = "memory://"
    single_process = True
    generation_shows_all = True
    rows_show_all = True

    def __init__(self, clock: Clock, sizes: Sizes = _SIZES, *, log_length: int = 10_000) -> None:
        self._clock = clock
        self.sizes = sizes
        self._log_length = log_length
        self._lock = Lock()
        self._store_id = secrets.token_hex(8)
        self._clients: dict[str, Client] = {}
        self._verifiers: dict[str, Verifiers] = {}
        self._deleted: set[str] = set()
        self._cutoffs: dict[str, Cutoff] = {}  # by client id, of deleted ones too
        self._tokens: dict[bytes, TokenRecord] = {}
        self._by_expiry: list[bytes] = []  # a heap of their keys
        self._log_only: dict[str, dict[bytes, int]] = {}  # by client id and key: the position of the event
        self._log: list[Revocation] = []
        self._swept_until = 0
        self._position = [0]  # the log's, in a list, which ``generation`` reads without running Python code
        self._keys = KeySet()
        self._remembered: set[bytes] = set()
        self._forget: list[tuple[int, bytes]] = []  # a heap of them by their last seconds
        self._counters: dict[bytes, int] = {}
        self._windows: list[tuple[int, bytes]] = []  # a heap of them by the ends of their windows
        self._uses: dict[str, dict[str, int]] = {}  # by client id and secret id
        self.generation: Callable[[], object] = partial(operator.getitem, self._position, 0)

    def open(self, *, create: bool) -> None:
        """Nothing to open."""

    def find_verifiers(self, client_id: str) -> Verifiers:
        with self._lock:
            return self._verifiers.get(client_id, _BLANK)

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
            self._verifiers[client.client_id] = verifiers_with(client)
            self._clients[client.client_id] = client
            return True

    def update_client(
        self,
        client_id: str,
        change: Callable[[Client], Client | None],
        *,
        revoke_tokens: bool = False,
        issued_before: int | None = None,
        evict_tokens: bool = False,
    ) -> Client | None:
        with self._lock:
            stored = self._clients.get(client_id)
            if stored is None:
                return None
            client = change(stored)
            if revoke_tokens:
                self._revoke_all(client_id, issued_before)
            elif evict_tokens:
                self._append(client_id, EVICTION)
            if client is None:
                del self._clients[client_id], self._verifiers[client_id]
                self._uses.pop(client_id, None)
                self._deleted.add(client_id)
                return None
            client = replace(client, revoked_before=self._cutoffs.get(client_id, _NONE).before)
            self._verifiers[client_id] = verifiers_with(client)
            self._clients[client_id] = client
            for secret_id in removed_secrets(stored, client):
                self._uses.get(client_id, {}).pop(secret_id, None)
            return client

    def _revoke_all(self, client_id: str, issued_before: int | None) -> None:
        cutoff, log_only = self._cutoffs.get(client_id, _NONE), self._log_only.pop(client_id, {})
        self._cutoffs[client_id] = following = Cutoff(self._append(client_id))
        if issued_before is not None:
            key = cutoff.sparing(client_id, issued_before)
            log_only.pop(cutoff.key, None)
            log_only[key] = self._append(client_id, key, log_only=True, position=following.before + 1)
            self._cutoffs[client_id], self._log_only[client_id] = following._replace(key=key), log_only

    def add_token(self, key: bytes, token: TokenRecord, counts: Sequence[Count] = ()) -> Counted:
        with self._lock:
            counted = self._count(counts)
            if not counted.full:
                self._tokens[key] = token
                heapq.heappush(self._by_expiry, key)
            return counted

    def count(self, counts: Sequence[Count]) -> Counted:
        with self._lock:
            return self._count(counts)

    def _count(self, counts: Sequence[Count]) -> Counted:
        values = [self._counters.get(each.key, 0) for each in counts]
        full = full_places(counts, values)
        if full:
            return Counted(tuple(values), full)
        over = self._clock() - COUNTER_KEEP_SECONDS
        while self._windows and self._windows[0][0] < over:
            del self._counters[heapq.heappop(self._windows)[1]]
        for each in counts:
            if each.key not in self._counters:
                heapq.heappush(self._windows, (each.until, each.key))
            self._counters[each.key] = self._counters.get(each.key, 0) + 1
        return Counted(tuple(self._counters[each.key] for each in counts))

    def note_uses(self, uses: Mapping[tuple[str, str], int]) -> None:
        with self._lock:
            for (client_id, secret_id), second in uses.items():
                if client_id in self._clients:
                    of_client = self._uses.setdefault(client_id, {})
                    of_client[secret_id] = max(second, of_client.get(secret_id, 0))

    def last_uses(self, client_ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
        with self._lock:
            found = {client_id: self._uses.get(client_id, {}) for client_id in client_ids}
            return {(each, secret_id): second for each, uses in found.items() for secret_id, second in uses.items()}

    def find_token(self, key: bytes) -> TokenRecord | None:
        with self._lock:
            return self._token(key)

    def _token(self, key: bytes) -> TokenRecord | None:
        token = self._tokens.get(key)
        if token and self._cutoffs.get(token.client_id, _NONE).covers(token.position, token.issued_at):
            return token._replace(revoked=True)
        return token

    def tokens_of(self, client_id: str, after: bytes = b"") -> Sequence[tuple[bytes, TokenRecord]]:
        with self._lock:
            keys = (key for key, token in self._tokens.items() if token.client_id == client_id and key > after)
            found = [(key, self._token(key)) for key in heapq.nsmallest(TOKENS_PER_PAGE, keys)]
            return [(key, token) for key, token in found if token]

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

    def revoke_log_only(self, client_id: str, key: bytes, position: int, issued_at: int = 0) -> int:
        with self._lock:
            log_only, cutoff = self._log_only.setdefault(client_id, {}), self._cutoffs.get(client_id, _NONE)
            if key in log_only or cutoff.covers(position, issued_at):
                return 0
            log_only[key] = self._append(client_id, key, log_only=True)
            live = self._live(log_only)
            if len(log_only) > self.sizes.log_only_per_client:
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

    def _append(
        self, client_id: str, key: bytes | None = None, *, log_only: bool = False, position: int | None = None
    ) -> int:
        if position is None:
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

    def count_events(self, at_most: int) -> int:
        return min(len(self._log), at_most)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        with self._lock:
            events = [Revocation(cutoff.before, client_id) for client_id, cutoff in self._cutoffs.items()]
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
        return ["memory:// serves one process only, and everything in it is lost when the process ends"]

    def close(self) -> None:
        """Nothing to close."""


class StandInStore(MemoryStore):
    """An empty store in the place of one that is missing, where none may be created."""

    single_process = False

    def __init__(self, clock: Clock, url: str) -> None:
        super().__init__(clock)
        self.url = url

    def warnings(self) -> Sequence[str]:
        return [f"there is no store at {self.url}: the start creates it"]


def _expiry(key: bytes) -> int:
    return int.from_bytes(key[:4])
