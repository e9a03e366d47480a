"""A store in memory is copied, or becomes a copy."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...model import (
    CLIENTS_PER_PAGE,
    LOG_KEEP_SECONDS,
    ClientRecord,
    KeyRecord,
    KeySet,
    LogRecord,
    LogState,
    Revocation,
    StoreStats,
    TokenRecord,
)
from ..copying import ROWS_PER_BATCH, batches, digest, gone, occupied, other_copy, own_client, own_events
from .contents import Contents


class MemoryCopying:
    """See :class:`~oauth_mw.protocols.Copyable`."""

    def __init__(self, contents: Contents, url: str) -> None:
        self._all = contents
        self._url = url

    def log_state(self) -> LogState:
        with self._all.lock:
            return LogState(self._all.store_id, self._all.head[0], self._all.floor)

    def read_clients(self) -> Iterator[Sequence[ClientRecord]]:
        with self._all.lock:
            records = [self._record(client_id) for client_id in (*self._all.clients, *self._all.gone)]
        return batches(records, CLIENTS_PER_PAGE)

    def _record(self, client_id: str) -> ClientRecord:
        client, ended = self._all.clients.get(client_id), self._all.ended.get(client_id, 0)
        return ClientRecord(client, ended) if client else gone(client_id, ended)

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        with self._all.lock:
            events = {event.position: event for event in self._all.log}
            # The log may be too short for all tokens that were revoked and have not expired.
            for key, position in self._all.revoked.items():
                events.setdefault(position, Revocation(position, self._all.tokens[key].client_id, key))
            for client_id, keys in self._all.alone.items():
                for key, position in keys.items():
                    events.setdefault(position, Revocation(position, client_id, key, True))
        found = [events[position] for position in sorted(events) if position > after]
        return batches([LogRecord(*event[:3], _keep_until(event), event.alone) for event in found], ROWS_PER_BATCH)

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        live = (now + 1).to_bytes(4)
        with self._all.lock:
            keys = sorted(key for key in self._all.tokens if key > live)
        return batches(keys, ROWS_PER_BATCH)

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        with self._all.lock:
            return [(key, self._all.tokens[key]) for key in keys if key in self._all.tokens]

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        with self._all.lock:
            return [key for key in keys if key not in self._all.tokens]

    def become_copy(self, origin: str) -> None:
        with self._all.lock:
            if self._all.origin is None:
                if self._all.clients or self._all.gone:
                    raise occupied(self._url)
                self._all.origin = (origin, 0)
            self._check(origin)
            for client_id in (*self._all.clients, *self._all.gone):
                self._check_client(client_id)

    def _check(self, origin: str) -> None:
        if self._all.origin is None or self._all.origin[0] != origin:
            raise other_copy(self._url)
        if self._all.origin[1] != self._all.head[0]:
            raise own_events(self._url)

    def _check_client(self, client_id: str) -> None:
        if digest(self._record(client_id)) != self._all.copied.get(client_id):
            raise own_client(self._url, client_id)

    def take_clients(self, origin: str, records: Sequence[ClientRecord]) -> Sequence[ClientRecord]:
        taken = []
        with self._all.lock:
            self._check(origin)
            for record in records:
                client_id, new = record.client.client_id, digest(record)
                known = client_id in self._all.clients or client_id in self._all.gone
                if known:
                    self._check_client(client_id)
                if not known or self._all.copied[client_id] != new or self._all.ended.get(client_id, 0) < record.ended:
                    self._put(record)
                    self._all.copied[client_id] = new
                    taken.append(record)
        return taken

    def _put(self, record: ClientRecord) -> None:
        client_id = record.client.client_id
        if record.deleted:
            self._all.clients.pop(client_id, None)
            self._all.gone.add(client_id)
        else:
            self._all.clients[client_id] = record.client
        self._end(client_id, record.ended)

    def _end(self, client_id: str, position: int) -> None:
        ended = self._all.ended[client_id] = max(position, self._all.ended.get(client_id, 0))
        if known := self._all.clients.get(client_id):
            self._all.clients[client_id] = replace(known, revoked_before=ended)

    def take_events(self, origin: str, events: Sequence[LogRecord], position: int, floor: int) -> None:
        with self._all.lock:
            self._check(origin)
            for event in events:
                if event.position <= self._all.head[0]:
                    continue
                self._all.log.append(Revocation(*event[:3], event.alone))
                if event.key is not None and event.alone:
                    self._all.alone.setdefault(event.client_id, {})[event.key] = event.position
                if event.key is None:
                    self._end(event.client_id, event.position)
                elif event.key in self._all.tokens:
                    self._all.tokens[event.key] = self._all.tokens[event.key]._replace(revoked=True)
                    self._all.revoked[event.key] = event.position
            self._all.head[0] = max(self._all.head[0], position)
            self._all.floor = max(self._all.floor, floor)
            self._all.origin = (origin, self._all.head[0])

    def take_signing_keys(self, origin: str, records: Sequence[KeyRecord]) -> int:
        there = {record.kid: record for record in records}
        with self._all.lock:
            self._check(origin)
            here = {record.kid: record for record in self._all.keys.keys}
            new = there.keys() - here.keys()
            for kid in self._all.copied_keys - there.keys():
                here.pop(kid, None)
            for kid, record in there.items():
                until = max(record.needed_until, here.get(kid, record).needed_until)
                here[kid] = record._replace(needed_until=until)
            self._all.keys = KeySet.of(here.values())
            self._all.copied_keys = set(there)
            return len(new)

    def take_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        added = 0
        with self._all.lock:
            self._check(origin)
            for key, token in tokens:
                if key not in self._all.tokens:
                    self._all.tokens[key] = token
                    heapq.heappush(self._all.by_expiry, key)
                    added += 1
        return added

    def stats(self, now: int) -> StoreStats:
        with self._all.lock:
            enabled = sum(client.enabled for client in self._all.clients.values())
            unexpired = sum(int.from_bytes(key[:4]) > now for key in self._all.tokens)
            return StoreStats(
                engine="memory",
                engine_version="",
                schema_version=0,
                store_id=self._all.store_id,
                position=self._all.head[0],
                enabled=enabled,
                disabled=len(self._all.clients) - enabled,
                deleted=len(self._all.gone),
                secrets=sum(len(client.secrets) for client in self._all.clients.values()),
                unexpired=unexpired,
                expired=len(self._all.tokens) - unexpired,
                events=len(self._all.log),
                keys=len(self._all.keys.keys),
            )


def _keep_until(event: Revocation) -> int:
    expires_at = int.from_bytes(event.key[:4]) if event.key else 0
    return max(event.position // 1_000_000, expires_at) + LOG_KEEP_SECONDS
