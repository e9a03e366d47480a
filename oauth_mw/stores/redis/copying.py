"""Copying a store on Redis to another one, or another one into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ...errors import StoreUnavailable
from ...model import Clock, CopyState, KeySet, LogRecord, LogState, StoredClient, TokenRecord
from ..copying import ROWS_PER_BATCH, check_copy, client_of_copy
from ..decoding import blob, decimal, number, text
from ..records import key_set_from, key_set_text
from . import clients, keys, log
from .network.nodes import Command, Replies
from .rows import TTL_MARGIN, position_text, read, several, token_from, token_text
from .scripts.changes import CONFIRM, NO_COPY, PUT_KEYS
from .scripts.copy import BECOME, PUT_EVENTS
from .session import RedisSession

T = TypeVar("T")


class RedisCopying:
    """See :class:`~oauth_mw.protocols.Copyable`.

    :param url: of the store, for people.
    :param callbacks: called after events were appended, see :class:`~oauth_mw.protocols.RevocationLog`.
    """

    def __init__(self, session: RedisSession, url: str, clock: Clock, callbacks: Sequence[Callable[[], None]]) -> None:
        self._session = session
        self._keys = session.keys
        self._url = url
        self._clock = clock
        self._callbacks = callbacks

    def _run(self, *commands: Command) -> Replies:
        return self._session.run(self._keys.store, list(commands), self._session.deadline())

    def log_state(self) -> LogState:
        return log.state(self._session)

    def read_clients(self) -> Iterator[Sequence[StoredClient]]:
        return clients.stored(self._session)

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        while True:
            (entries,) = self._run(("XRANGE", self._keys.log, f"{after + 1}-0", "+", "COUNT", ROWS_PER_BATCH))
            events = read(_events, entries)
            if not events:
                return
            due = [
                position_text(position).encode() + key + (client_id if log_only else b"")
                for position, client_id, key, log_only in events
            ]
            (until,) = self._run(("ZMSCORE", self._keys.due, *due))
            yield read(_records, events, until)
            after = events[-1][0]

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        for found in self._session.token_keys():
            yield [key for key in found if int.from_bytes(key[:4]) > now]

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        rows = self._of_tokens(keys, [("GET", self._keys.token(key)) for key in keys])
        # Read after the rows, as when a token is checked.
        revoked = read(several, len(keys), *self._run(("HMGET", self._keys.revoked, *keys)))
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
            return self._run(*commands)
        names, run = map(self._keys.token, keys), self._session.run
        return [
            run(*each, self._session.deadline())[0] for each in zip(names, [[one] for one in commands], strict=True)
        ]

    # As a copy

    def become_copy(self, origin: str) -> None:
        self._repeat(partial(self._become, origin))

    def _become(self, origin: str, deadline: float) -> None:
        fields: Command = ("HMGET", self._keys.store, "origin", "position", "keys")
        found, count = self._session.run(self._keys.store, [fields, ("ZCARD", self._keys.clients)], deadline)
        here, position, record = read(several, 3, found)
        state = read(_state, here, position, record, count)
        check_copy(state, origin, self._url, begun=False)
        if state.origin != origin:
            seen = (here or b"", position, record, str(count))
            if not self._session.reply(BECOME, *seen, origin, deadline=deadline):
                raise _Conflict

    def put_clients(self, origin: str, stored: Sequence[StoredClient]) -> Sequence[StoredClient]:
        return self._repeat(partial(self._put_clients, origin, stored))

    def _put_clients(self, origin: str, stored: Sequence[StoredClient], deadline: float) -> list[StoredClient]:
        new, changes = [], []
        rows = clients.rows(self._session, [each.client.client_id for each in stored], deadline)
        for there, row in zip(stored, rows, strict=True):
            here = None if row[-1] is None else read(clients.stored_from, *row)
            made = client_of_copy(here, there)
            record, verifiers, revoked_before = clients.fields_of(made)
            if row[1:] != [record.encode(), revoked_before.encode()]:
                new.append(made)
                changes.append((*[each or b"" for each in row], record, verifiers, revoked_before))
        if changes:
            clients.put(self._session, partial(self._write, origin), changes, deadline)
        else:
            self._write(origin, CONFIRM, deadline=deadline)
        return new

    def put_events(self, origin: str, events: Sequence[LogRecord], position: int, swept_until: int) -> None:
        here = self.log_state()
        if not events and position <= here.position and swept_until <= here.swept_until:
            return self._confirm(origin)
        arguments: list[bytes | str] = [position_text(position), position_text(swept_until)]
        more = set()
        for event in events:
            log_only = event.key is not None and (event.log_only or not self._session.servers.single_node)
            arguments += [position_text(event.position), event.client_id, event.key or b"", str(event.keep_until)]
            arguments.append("1" if log_only else "0")
            more.add((self._keys.log_only if log_only else self._keys.client)(event.client_id))
        write = partial(self._write, origin, PUT_EVENTS, *arguments, more=sorted(more))
        try:
            self._repeat(lambda deadline: write(deadline=deadline))
        finally:
            for call in self._callbacks:
                call()

    def put_keys(self, origin: str, there: KeySet) -> int:
        return self._repeat(partial(self._put_keys, origin, there))

    def _put_keys(self, origin: str, there: KeySet, deadline: float) -> int:
        seen, record = keys.record_of(self._session, deadline), key_set_text(there)
        if seen == record.encode():
            self._write(origin, CONFIRM, deadline=deadline)
        else:
            self._write(origin, PUT_KEYS, "0", seen, record, deadline=deadline)
        here = keys.decoded(seen)
        return sum(here.find(key.kid) is None for key in there.keys)

    def put_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        self._confirm(origin)
        now = int(self._clock())
        commands: list[Command] = []
        for key, token in tokens:
            left = max(int.from_bytes(key[:4]) - now + TTL_MARGIN, 1)
            commands.append(("SET", self._keys.token(key), token_text(token), "EX", left, "NX"))
        return sum(done is not None for done in self._of_tokens([key for key, _ in tokens], commands))

    def _confirm(self, origin: str) -> None:
        self._repeat(lambda deadline: self._write(origin, CONFIRM, deadline=deadline))

    def _repeat(self, attempt: Callable[[float], T]) -> T:
        """Call ``attempt`` with the deadline until it meets no conflict with another worker."""
        deadline = self._session.deadline()
        while time.monotonic() < deadline:
            with suppress(_Conflict):
                return attempt(deadline)
        raise StoreUnavailable("other workers kept changing what was being copied")

    def _write(self, origin: str, script: str, *arguments: bytes | str, **how: Any) -> None:
        """Make a change after which the store is still a copy of ``origin``.

        :raises AdminError: it is none.
        """
        found = self._session.reply(script, *arguments, origin=origin, **how)
        if found == NO_COPY:
            (here,) = self._session.run(self._keys.store, [("HGET", self._keys.store, "origin")], how["deadline"])
            check_copy(CopyState(read(_origin, here), False), origin, self._url, begun=True)
        if found in (0, NO_COPY):
            raise _Conflict


class _Conflict(Exception):
    """Another worker has changed what was read."""


def _state(origin: bytes | None, position: bytes, keys_: bytes, clients_: Any) -> CopyState:
    known = number(clients_) + decimal(position) + len(key_set_from(keys_.decode()).keys)
    return CopyState(_origin(origin), not known)


def _origin(found: Any) -> str:
    return "" if found is None else text(found.decode())


def _events(entries: Any) -> list[tuple[int, bytes, bytes, bool]]:
    return [
        (decimal(entry[:-2]), blob(client_id), blob(key), bool(log_only))
        for entry, (_, client_id, _, key, *log_only) in entries
    ]


def _records(events: Sequence[tuple[int, bytes, bytes, bool]], until: Any) -> list[LogRecord]:
    return [
        LogRecord(position, client_id.decode(), key or None, int(keep_until or 0), log_only)
        for (position, client_id, key, log_only), keep_until in zip(events, until, strict=True)
    ]
