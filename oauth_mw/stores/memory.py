"""A store in the process's own memory: for tests, trials and single-process servers."""

from __future__ import annotations

import heapq
import operator
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from threading import Lock

from ..model import Client, ClientSecret, Clock, Ended, LogPage, TokenRecord

LOG_LENGTH = 10_000


class MemoryStore:
    """Everything under one lock; every method is atomic. See the protocols in :mod:`oauth_mw.model`."""

    url = "memory://"
    single_process = True
    immediate = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._store_id = secrets.token_hex(8)
        self._clients: dict[str, Client] = {}
        self._gone: set[str] = set()
        self._ended: dict[str, int] = {}
        self._tokens: dict[bytes, TokenRecord] = {}
        self._by_expiry: list[bytes] = []
        self._log: list[Ended] = []
        self._floor = 0
        # The generation is the log's position, in a cell that C code alone can read.
        self._head = [0]
        self.generation: Callable[[], object] = partial(operator.getitem, self._head, 0)

    def open(self, *, create: bool) -> None:
        """Nothing to open."""

    def find_client(self, client_id: str) -> Client | None:
        with self._lock:
            client = self._clients.get(client_id)
            return client and replace(client, position=self._head[0])

    def clients(self) -> Iterable[Client]:
        with self._lock:
            return sorted(self._clients.values(), key=lambda client: client.client_id)

    def add_client(self, client: Client) -> bool:
        with self._lock:
            if client.client_id in self._clients or client.client_id in self._gone:
                return False
            self._clients[client.client_id] = client
            return True

    def update_client(self, client_id: str, change: Callable[[Client], Client]) -> Client | None:
        with self._lock:
            known = self._clients.get(client_id)
            if known is not None:
                known = self._clients[client_id] = change(known)
            return known

    def end_client(self, client_id: str, *, disable: bool = False, delete: bool = False) -> bool:
        with self._lock:
            return self._end(client_id, disable, delete)

    def _end(self, client_id: str, disable: bool, delete: bool) -> bool:
        client = self._clients.get(client_id)
        if client is None:
            return False
        if disable:
            self._clients[client_id] = replace(client, enabled=False)
        if delete:
            del self._clients[client_id]
            self._gone.add(client_id)
        self._ended[client_id] = self._append(client_id)
        return True

    def add_secret(self, client_id: str, secret: ClientSecret) -> bool:
        with self._lock:
            client = self._clients.get(client_id)
            if client:
                self._clients[client_id] = replace(client, secrets=(*client.secrets, secret))
            return client is not None

    def remove_secret(self, client_id: str, secret_id: str, *, and_tokens: bool = False) -> bool:
        with self._lock:
            client = self._clients.get(client_id)
            left = tuple(each for each in client.secrets if each.secret_id != secret_id) if client else ()
            if client is None or len(left) == len(client.secrets):
                return False
            self._clients[client_id] = replace(client, secrets=left)
            return self._end(client_id, False, False) if and_tokens else True

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        with self._lock:
            self._tokens[key] = token
            heapq.heappush(self._by_expiry, key)

    def find_token(self, key: bytes) -> TokenRecord | None:
        with self._lock:
            token = self._tokens.get(key)
            if token and token.position < self._ended.get(token.client_id, 0):
                return token._replace(revoked=True)
            return token

    def revoke_token(self, key: bytes) -> bool:
        with self._lock:
            token = self._tokens.get(key)
            if token is None or token.revoked or token.position < self._ended.get(token.client_id, 0):
                return False
            self._tokens[key] = token._replace(revoked=True)
            self._append(token.client_id, key)
            return True

    def sweep(self, now: int, limit: int) -> int:
        swept = 0
        with self._lock:
            while swept < limit and self._by_expiry and int.from_bytes(self._by_expiry[0][:4]) < now:
                del self._tokens[heapq.heappop(self._by_expiry)]
                swept += 1
        return swept

    def count_tokens(self, before: int | None = None) -> int:
        with self._lock:
            if before is None:
                return len(self._tokens)
            return sum(int.from_bytes(key[:4]) < before for key in self._tokens)

    def _append(self, client_id: str, key: bytes | None = None) -> int:
        position = max(self._head[0] + 1, int(self._clock() * 1_000_000))
        self._log.append(Ended(position, client_id, key))
        if len(self._log) > LOG_LENGTH:
            self._floor = self._log[LOG_LENGTH // 2 - 1].position
            del self._log[: LOG_LENGTH // 2]
        self._head[0] = position
        return position

    def look(self) -> None:
        """Nothing stands behind the cell that could be exchanged."""

    def watch(self, ended: Callable[[], None]) -> None:
        """The generation says it all."""

    def read_log(self, store_id: str, after: int) -> LogPage:
        with self._lock:
            complete = store_id == self._store_id and self._floor <= after <= self._head[0]
            events = [event for event in self._log if event.position > after] if complete else []
            return LogPage(self._store_id, self._head[0], events, complete)

    def close(self) -> None:
        """Nothing to close."""
