"""A store on Redis is copied, or becomes a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...model import CLIENTS_PER_PAGE, ClientRecord, Clock, KeyRecord, LogRecord, LogState, StoreStats, TokenRecord
from ..copying import ROWS_PER_BATCH, gone, occupied, other_copy, own_client, own_events
from ..decoding import blob, decimal
from .network.checks import read_info
from .network.nodes import Command, Replies
from .rows import (
    CLIENT_FIELDS,
    TTL_MARGIN,
    client_from,
    client_text,
    ids_from,
    key_text,
    position_text,
    read,
    secret_line,
    several,
    token_from,
    token_text,
)
from .scripts import copy as scripts
from .scripts.changes import NO_STORE, VERSION
from .session import RedisSession

_REFUSALS = {scripts.OTHER_COPY: other_copy, scripts.OWN_EVENTS: own_events, scripts.OCCUPIED: occupied}


class RedisCopying:
    """See :class:`~oauth_mw.protocols.Copyable`.

    :param watching: called after events were taken, see :class:`~oauth_mw.protocols.RevocationLog`.
    """

    def __init__(self, steps: RedisSession, url: str, clock: Clock, watching: Sequence[Callable[[], None]]) -> None:
        self._session = steps
        self._keys = steps.keys
        self._url = url
        self._clock = clock
        self._callbacks = watching

    def _ask(self, *commands: Command) -> Replies:
        return self._session.run(self._keys.store, list(commands), self._session.deadline())

    def log_state(self) -> LogState:
        deadline = self._session.deadline()
        fields: Command = ("HMGET", self._keys.store, "version", "store_id", "position", "floor")

        def ask() -> Any:
            version, *found = read(several, 4, *self._session.run(self._keys.store, [fields], deadline))
            return found if version == VERSION else NO_STORE

        return read(_standing, *self._session.with_store(ask, deadline))

    def _client_ids(self) -> Iterator[list[str]]:
        last = b"-"
        while True:
            (ids,) = self._ask(("ZRANGEBYLEX", self._keys.clients, last, "+", "LIMIT", 0, CLIENTS_PER_PAGE))
            yield read(ids_from, ids)
            if len(ids) < CLIENTS_PER_PAGE:
                return
            last = b"(" + ids[-1]

    def read_clients(self) -> Iterator[Sequence[ClientRecord]]:
        for ids in self._client_ids():
            rows = self._ask(*(("HMGET", self._keys.client(each), *CLIENT_FIELDS) for each in ids))
            yield [read(_record, client_id, row) for client_id, row in zip(ids, rows, strict=True)]

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        while True:
            (entries,) = self._ask(("XRANGE", self._keys.log, f"{after + 1}-0", "+", "COUNT", ROWS_PER_BATCH))
            events = read(_events, entries)
            if not events:
                return
            due = [
                position_text(position).encode() + key + (client_id if alone else b"")
                for position, client_id, key, alone in events
            ]
            (until,) = self._ask(("ZMSCORE", self._keys.due, *due))
            yield read(_records, events, until)
            after = events[-1][0]

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        start = len(self._keys.any_token)
        for found in self._session.scan(self._keys.any_token + "*"):
            keys = [read(_key, name[start:]) for name in found]
            yield [key for key in keys if int.from_bytes(key[:4]) > now]

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        rows = self._of_tokens(keys, [("GET", self._keys.token(key)) for key in keys])
        # Asked for after the rows, as when a token is judged.
        revoked = read(several, len(keys), *self._ask(("HMGET", self._keys.revoked, *keys)))
        return [
            (key, read(token_from, row, b"0", position is not None))
            for key, row, position in zip(keys, rows, revoked, strict=True)
            if row is not None
        ]

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        there = self._of_tokens(keys, [("EXISTS", self._keys.token(key)) for key in keys])
        return [key for key, known in zip(keys, there, strict=True) if not known]

    def _of_tokens(self, keys: Sequence[bytes], commands: Sequence[Command]) -> Replies:
        """The replies to one command on each of these tokens."""
        if self._session.servers.single_node:
            return self._ask(*commands)
        names, run = map(self._keys.token, keys), self._session.run
        return [
            run(*each, self._session.deadline())[0] for each in zip(names, [[one] for one in commands], strict=True)
        ]

    def stats(self, now: int) -> StoreStats:
        standing = self.log_state()
        secrets = unexpired = expired = 0
        clients = {(deleted, enabled): 0 for deleted in (False, True) for enabled in (False, True)}
        for page in self.read_clients():
            for client, _, deleted in page:
                clients[deleted, client.enabled] += 1
                secrets += len(client.secrets)
        start = len(self._keys.any_token)
        for found in self._session.scan(self._keys.any_token + "*"):
            live = sum(int.from_bytes(read(_key, name[start:])[:4]) > now for name in found)
            unexpired += live
            expired += len(found) - live
        info, events, keys = self._ask(("INFO", "server"), ("XLEN", self._keys.log), ("HLEN", self._keys.signing))
        return StoreStats(
            engine="Redis",
            engine_version=read(read_info, info).get("redis_version", ""),
            schema_version=int(VERSION),
            store_id=standing.store_id,
            position=standing.position,
            enabled=clients[False, True],
            disabled=clients[False, False],
            deleted=clients[True, False],
            secrets=secrets,
            unexpired=unexpired,
            expired=expired,
            events=events,
            keys=keys,
        )

    # As a copy

    def _change(self, script: str, origin: str, *arguments: bytes | str, more: Sequence[str] = ()) -> Any:
        """
        :raises AdminError: it was refused.
        """
        deadline = self._session.deadline()
        reply = self._session.reply(script, "", origin, *arguments, deadline=deadline, more=more)
        if isinstance(reply, int) and reply in _REFUSALS:
            raise _REFUSALS[reply](self._url)
        if isinstance(reply, bytes):
            raise own_client(self._url, reply.decode("utf-8", "replace"))
        return reply

    def become_copy(self, origin: str) -> None:
        self._change(scripts.BECOME, origin)
        for ids in self._client_ids():
            self._change(scripts.CHECK_CLIENTS, origin, *ids)

    def take_clients(self, origin: str, records: Sequence[ClientRecord]) -> Sequence[ClientRecord]:
        arguments = [text for record in records for text in _fields(record)]
        return [records[index] for index in self._change(scripts.TAKE_CLIENTS, origin, *arguments)]

    def take_events(self, origin: str, events: Sequence[LogRecord], position: int, floor: int) -> None:
        here = self.log_state()
        if not events and position <= here.position and floor <= here.floor:
            return
        arguments: list[bytes | str] = [position_text(position), position_text(floor)]
        for event in events:
            alone = event.key is not None and (event.alone or not self._session.servers.single_node)
            arguments += [position_text(event.position), event.client_id, event.key or b"", str(event.keep_until)]
            arguments.append("1" if alone else "0")
        try:
            self._change(scripts.TAKE_EVENTS, origin, *arguments)
        finally:
            for tell in self._callbacks:
                tell()

    def take_signing_keys(self, origin: str, records: Sequence[KeyRecord]) -> int:
        arguments = [text for record in records for text in (record.kid, key_text(record))]
        return int(self._change(scripts.TAKE_KEYS, origin, *arguments, more=(self._keys.signing,)))

    def take_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        self._change(scripts.BECOME, origin)
        now = int(self._clock())
        commands: list[Command] = []
        for key, token in tokens:
            left = max(int.from_bytes(key[:4]) - now + TTL_MARGIN, 1)
            commands.append(("SET", self._keys.token(key), token_text(token), "EX", left, "NX"))
        return sum(done is not None for done in self._of_tokens([key for key, _ in tokens], commands))


def _record(client_id: str, row: Replies) -> ClientRecord:
    client, ended = client_from(client_id, row), decimal(row[-1])
    return ClientRecord(client, ended) if client else gone(client_id, ended)


def _standing(store_id: Any, position: Any, floor: Any) -> LogState:
    return LogState(store_id.decode(), decimal(position), decimal(floor))


def _events(entries: Any) -> list[tuple[int, bytes, bytes, bool]]:
    return [
        (decimal(entry[:-2]), blob(client_id), blob(key), bool(alone))
        for entry, (_, client_id, _, key, *alone) in entries
    ]


def _records(events: Sequence[tuple[int, bytes, bytes, bool]], until: Any) -> list[LogRecord]:
    return [
        LogRecord(position, client_id.decode(), key or None, int(keep_until or 0), alone)
        for (position, client_id, key, alone), keep_until in zip(events, until, strict=True)
    ]


def _key(name: bytes) -> bytes:
    return bytes.fromhex(name.decode())


def _fields(record: ClientRecord) -> Sequence[str]:
    """A client's part of the arguments of :data:`~.moving_scripts.TAKE_CLIENTS`."""
    client, ended, deleted = record
    if deleted:
        return (client.client_id, "1", "0", "", "", position_text(ended))
    secrets = "\n".join(map(secret_line, client.secrets))
    return (client.client_id, "0", str(int(client.enabled)), client_text(client), secrets, position_text(ended))
