"""Copy a store on Redis to another store, or another store into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from ...cutoffs import Cutoff
from ...model import EVICTION, CopyState, KeySet, LogRecord, Revocation, StoredClient, TokenRecord
from ..copying import ROWS_PER_BATCH, check_copy, client_of_copy
from ..decoding import decimal, number, text
from ..records import key_set_from, key_set_text
from . import log, records
from .network import Command, Replies
from .rows import TTL_MARGIN, events_from, position_text, read, several, token_from, token_text
from .scripts import BECOME, CONFIRM, NO_COPY, PUT_EVENTS, PUT_KEYS
from .session import Conflict, RedisSession


class RedisCopying:
    """See :class:`~oauth_mw.protocols.Copyable`."""

    def __init__(self, session: RedisSession) -> None:
        self._session = session
        self._keys = session.keys
        self.log_state = partial(log.state, session)
        self.read_clients = partial(records.stored, session)

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        while True:
            (entries,) = self._session.query(("XRANGE", self._keys.log, f"{after + 1}-0", "+", "COUNT", ROWS_PER_BATCH))
            events = read(events_from, entries)
            if not events:
                return
            due = [
                position_text(event.position).encode()
                + (event.key or b"")
                + (event.client_id.encode() if event.log_only else b"")
                for event in events
            ]
            (until,) = self._session.query(("ZMSCORE", self._keys.due, *due))
            yield read(_records, events, until)
            after = events[-1].position

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        for found in self._session.token_keys():
            yield [key for key in found if int.from_bytes(key[:4]) > now]

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        rows = self._of_tokens("GET", keys)
        # Read after the rows, as when a token is checked.
        revoked = read(several, len(keys), *self._session.query(("HMGET", self._keys.revoked, *keys)))
        return [
            (key, read(token_from, row, position is not None, Cutoff()))
            for key, row, position in zip(keys, rows, revoked, strict=True)
            if row is not None
        ]

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        return [key for key, known in zip(keys, self._of_tokens("EXISTS", keys), strict=True) if not known]

    def _of_tokens(self, word: str, keys: Iterable[bytes], arguments: Iterable[Command] = repeat(())) -> Replies:
        """The replies to the same command for each of these tokens."""
        names = [self._keys.token(key) for key in keys]
        commands = [(word, name, *more) for name, more in zip(names, arguments, strict=False)]
        if self._session.servers.single_node:
            return self._session.query(*commands)
        pairs, run = zip(names, commands, strict=True), self._session.run
        return [run(name, [command], self._session.deadline())[0] for name, command in pairs]

    # As a copy

    def become_copy(self, origin: str) -> None:
        self._session.repeat(partial(self._become, origin))

    def _become(self, origin: str, deadline: float) -> None:
        here, position, record = self._session.fields("origin", "position", "keys", deadline=deadline)
        (count,) = self._session.run(self._keys.store, [("ZCARD", self._keys.clients)], deadline)
        known = read(lambda: number(count) + decimal(position) + len(key_set_from(record.decode()).keys))
        state = CopyState(read(_origin, here), not known)
        check_copy(state, origin, self._session.place.shown, begun=False)
        if state.origin != origin:
            seen = (here or b"", position, record, str(count))
            if not self._session.reply(BECOME, *seen, origin, deadline=deadline):
                raise Conflict

    def put_clients(self, origin: str, stored: Sequence[StoredClient]) -> Sequence[StoredClient]:
        return self._session.repeat(partial(self._put_clients, origin, stored))

    def _put_clients(self, origin: str, stored: Sequence[StoredClient], deadline: float) -> list[StoredClient]:
        new, changes = [], []
        rows = records.rows(self._session, [each.client.client_id for each in stored], deadline)
        for there, row in zip(stored, rows, strict=True):
            here = None if row[-1] is None else read(records.stored_from, *row)
            made = client_of_copy(here, there)
            record, verifiers, revoked_before = records.fields_of(made)
            if row[1:] != [record.encode(), revoked_before.encode()]:
                new.append(made)
                changes.append((*[each or b"" for each in row], record, verifiers, revoked_before))
        if changes:
            records.put(self._session, partial(self._write, origin), changes, deadline)
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
            of_token = event.key not in (None, EVICTION)
            log_only = of_token and (event.log_only or not self._session.servers.single_node)
            arguments += [position_text(event.position), event.client_id, event.key or b"", str(event.keep_until)]
            arguments.append("1" if log_only else "0")
            more.add((self._keys.log_only if log_only else self._keys.client)(event.client_id))
        write = partial(self._write, origin, PUT_EVENTS, *arguments, more=sorted(more), appends=True)
        self._session.repeat(lambda deadline: write(deadline=deadline))

    def put_keys(self, origin: str, there: KeySet) -> int:
        return self._session.repeat(partial(self._put_keys, origin, there))

    def _put_keys(self, origin: str, there: KeySet, deadline: float) -> int:
        seen, record = records.key_record(self._session, deadline), key_set_text(there)
        change = (CONFIRM,) if seen == record.encode() else (PUT_KEYS, "0", seen, record)
        self._write(origin, *change, deadline=deadline)
        here = records.keys_from(seen)
        return sum(here.find(key.kid) is None for key in there.keys)

    def put_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        self._confirm(origin)
        now = int(self._session.clock())
        rows = [
            (token_text(token), "EX", max(int.from_bytes(key[:4]) - now + TTL_MARGIN, 1), "NX") for key, token in tokens
        ]
        return sum(done is not None for done in self._of_tokens("SET", [key for key, _ in tokens], rows))

    def _confirm(self, origin: str) -> None:
        self._session.repeat(lambda deadline: self._write(origin, CONFIRM, deadline=deadline))

    def _write(self, origin: str, script: str, *arguments: bytes | str, **how: Any) -> None:
        """Make a change after which the store is still a copy of ``origin``.

        :raises AdminError: it is not a copy of ``origin``.
        """
        found = self._session.reply(script, *arguments, origin=origin, **how)
        if found == NO_COPY:
            (here,) = self._session.fields("origin", deadline=how["deadline"])
            check_copy(CopyState(read(_origin, here), False), origin, self._session.place.shown, begun=True)
        if found in (0, NO_COPY):
            raise Conflict


def _origin(found: Any) -> str:
    return "" if found is None else text(found.decode())


def _records(events: Sequence[Revocation], until: Any) -> list[LogRecord]:
    return [
        LogRecord(event.position, event.client_id, event.key, int(keep_until or 0), event.log_only)
        for event, keep_until in zip(events, until, strict=True)
    ]
