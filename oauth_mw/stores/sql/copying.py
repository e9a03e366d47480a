"""Copies from and into a store on a SQL engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, literal_column, null, select, update
from sqlalchemy.sql import ClauseElement

from ...model import CLIENTS_PER_PAGE, CopyState, KeySet, LogRecord, LogState, StoredClient, TokenRecord
from ..copying import ROWS_PER_BATCH, check_copy, client_of_copy
from ..decoding import blob, flag, maybe, number, read, text
from ..records import (
    BLANK_VERIFIERS,
    client_from,
    client_row,
    deleted_client,
    extra_text,
    key_set_from,
    key_set_text,
)
from . import schema, statements
from .engine import SQLEngine, by_driver
from .log import CLIENT, EVENT, KEYS, OWN_ROW
from .rows import token_from_row

KEY = "a token's key"

_store, _client, _token, _log = schema.store, schema.clients, schema.tokens, schema.revocations

_LOG_STATE = select(_store.c.store_id, _store.c.position, _store.c.swept_until)
_COPY_STATE = select(_store.c.origin, _store.c.position, exists(select(_client.c.number)))
_CLIENTS = select(_client.c.client_id, _client.c.deleted, _client.c.revoked_before, _client.c.record)
_PAGE = statements.page(_CLIENTS, _client.c.client_id, CLIENTS_PER_PAGE)
_HERE = _CLIENTS.where(_client.c.client_id.in_(bindparam("ids", expanding=True)))
_EVENT = (_log.c.position, _log.c.client_id, _log.c.key, _log.c.keep_until, _log.c.log_only)
_EVENTS = statements.page(select(*_EVENT), _log.c.position, ROWS_PER_BATCH)
_REVOKE_TOKEN = update(_token).where(_token.c.key == bindparam("of")).values(revoked=True)
_REVOKE_ALL = (
    update(_client)
    .where(_client.c.client_id == bindparam("of"), _client.c.revoked_before < bindparam("before"))
    .values(revoked_before=bindparam("before"))
)
# In the order of their keys, tokens of two stores are compared by ranges: far less work than to ask for each key.
_KEYS = statements.page(select(_token.c.key), _token.c.key, ROWS_PER_BATCH)
_RANGE = _token.c.key.between(bindparam("first"), bindparam("last"))
_KEYS_HERE = select(_token.c.key).where(_RANGE).limit(literal_column(str(2 * ROWS_PER_BATCH))).offset(statements.NONE)
_TOKENS = select(_token.c.key, *statements.ROW, null(), null()).select_from(statements.TOKENS_OF_CLIENTS).where(_RANGE)
_PUT = ("key", "scope", "issued_at", "position", "revoked", "extra")
_PUT_FROM = select(*(bindparam(name, type_=_token.c[name].type) for name in _PUT), _client.c.number).where(
    _client.c.client_id == bindparam("client_id")
)


@cache
def _put_client(upsert: statements.Upsert) -> ClauseElement:
    row = statements.put_client(upsert)
    values = {name: row.excluded[name] for name in statements.CLIENT_COLUMNS[1:]}
    put: ClauseElement = row.on_conflict_do_update(index_elements=["client_id"], set_=values)
    return put


@cache
def _put_token(upsert: statements.Upsert) -> ClauseElement:
    put: ClauseElement = upsert(_token).from_select([*_PUT, "client"], _PUT_FROM).on_conflict_do_nothing()
    return put


class SQLCopying:
    """See :class:`~oauth_mw.protocols.Copyable`."""

    def __init__(self, engine: SQLEngine) -> None:
        self._engine = engine

    def log_state(self) -> LogState:
        with self._engine.reading() as link:
            return _log_state(link.core)

    def read_clients(self) -> Iterator[Sequence[StoredClient]]:
        for rows in self._pages(_PAGE, "", CLIENTS_PER_PAGE):
            yield [read(CLIENT, _stored, *row) for row in rows]

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        for rows in self._pages(_EVENTS, after, ROWS_PER_BATCH):
            yield [read(EVENT, _event, *row) for row in rows]

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        for rows in self._pages(_KEYS, (now + 1).to_bytes(4), ROWS_PER_BATCH):
            yield [read(KEY, blob, key) for (key,) in rows]

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        wanted = set(keys)
        with self._engine.reading() as link:
            rows = link.driver.execute(self._engine.compiled(_TOKENS), (min(keys), max(keys))).fetchall()
        return [(row[0], token_from_row(row[1:])) for row in rows if row[0] in wanted]

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        with self._engine.reading() as link:
            rows = link.driver.execute(self._engine.compiled(_KEYS_HERE), (min(keys), max(keys))).fetchall()
            if len(rows) == 2 * ROWS_PER_BATCH:
                # These need not be the first ones, so rows may be missing between them.
                rows = link.core.execute(select(_token.c.key).where(_token.c.key.in_(keys))).all()
        here = {row[0] for row in rows}
        return [key for key in keys if key not in here]

    # As a copy

    def become_copy(self, origin: str) -> None:
        with self._engine.transaction() as connection:
            self._check(connection, origin, begun=False)
            connection.execute(update(_store).values(origin=origin))

    def put_clients(self, origin: str, clients: Sequence[StoredClient]) -> Sequence[StoredClient]:
        with self._putting(origin) as connection:
            differing = _differing(connection, clients)
            self._execute_each(connection, _put_client(self._engine.upsert), [_client_row(each) for each in differing])
            return differing

    def put_events(self, origin: str, events: Sequence[LogRecord], position: int, swept_until: int) -> None:
        with self._putting(origin, revokes=True) as connection:
            here = _log_state(connection)
            _append(connection, [event for event in events if event.position > here.position])
            positions = {"position": max(position, here.position), "swept_until": max(swept_until, here.swept_until)}
            connection.execute(update(_store).values(positions))

    def put_keys(self, origin: str, keys: KeySet) -> int:
        with self._putting(origin) as connection:
            here = self._keys(connection)
            by_driver(connection, self._engine.compiled(statements.WRITE_KEYS), key_set_text(keys))
            return sum(here.find(key.kid) is None for key in keys.keys)

    def put_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        with self._putting(origin) as connection:
            return self._execute_each(
                connection, _put_token(self._engine.upsert), [_token_row(*each) for each in tokens]
            )

    def _pages(self, statement: ClauseElement, after: object, size: int) -> Iterator[Sequence[Any]]:
        """Yield the rows of a statement, page by page: those whose first column is greater than ``after``, in order."""
        rows: Sequence[Any] = range(size)
        while len(rows) == size:
            with self._engine.reading() as link:
                rows = link.driver.execute(self._engine.compiled(statement), (after,)).fetchall()
            yield rows
            after = rows[-1][0] if rows else after

    def _check(self, connection: Connection, origin: str, *, begun: bool) -> None:
        has_keys = bool(self._keys(connection).keys)
        state = read(OWN_ROW, _copy_state, has_keys, *(connection.execute(_COPY_STATE).first() or ()))
        check_copy(state, origin, self._engine.url, begun=begun)

    @contextmanager
    def _putting(self, origin: str, *, revokes: bool = False) -> Iterator[Connection]:
        with self._engine.transaction(revokes=revokes) as connection:
            self._check(connection, origin, begun=True)
            yield connection

    def _keys(self, connection: Connection) -> KeySet:
        row = by_driver(connection, self._engine.compiled(statements.READ_KEYS)).fetchone()
        return read(KEYS, key_set_from, *(row or (None,)))

    def _execute_each(self, connection: Connection, statement: Any, rows: Sequence[tuple[object, ...]]) -> int:
        """Execute the statement for each row; return how many rows were written."""
        if not rows:
            return 0
        cursor = connection.connection.cursor()
        cursor.executemany(self._engine.compiled(statement), rows)
        return int(cursor.rowcount)


def _log_state(connection: Connection) -> LogState:
    def decoded(store_id: Any, position: Any, swept_until: Any) -> LogState:
        return LogState(text(store_id), number(position), number(swept_until))

    return read(OWN_ROW, decoded, *(connection.execute(_LOG_STATE).first() or ()))


def _copy_state(has_keys: bool, origin: Any, position: Any, has_clients: Any) -> CopyState:
    return CopyState(maybe(text, origin) or "", not (number(position) or has_clients or has_keys))


def _differing(connection: Connection, clients: Sequence[StoredClient]) -> Sequence[StoredClient]:
    """Return what a copy writes: clients that are not yet here as they should be."""
    rows = connection.execute(_HERE, {"ids": [each.client.client_id for each in clients]})
    here = {client_id: read(CLIENT, _stored, client_id, *row) for client_id, *row in rows}
    differing = []
    for there in clients:
        stored = here.get(there.client.client_id)
        wanted = client_of_copy(stored, there)
        # Compared as rows, because an attribute that is 1 equals one that is true.
        if stored is None or _client_row(stored) != _client_row(wanted):
            differing.append(wanted)
    return differing


def _stored(client_id: Any, deleted: Any, revoked_before: Any, record: Any) -> StoredClient:
    if flag(deleted):
        return deleted_client(client_id, revoked_before)
    return StoredClient(client_from(client_id, record, revoked_before))


def _client_row(stored: StoredClient) -> tuple[object, ...]:
    client, deleted = stored
    record = (BLANK_VERIFIERS, "") if deleted else client_row(client)
    return (client.client_id, deleted, client.revoked_before, *record)


def _token_row(key: bytes, token: TokenRecord) -> tuple[object, ...]:
    return key, token.scope, token.issued_at, token.position, token.revoked, extra_text(token), token.client_id


def _event(position: Any, client_id: Any, key: Any, keep_until: Any, log_only: Any) -> LogRecord:
    return LogRecord(number(position), text(client_id), maybe(blob, key), number(keep_until), flag(log_only))


def _append(connection: Connection, events: Sequence[LogRecord]) -> None:
    """Append events to the log, and apply them to clients and tokens."""
    tokens = [{"of": event.key} for event in events if event.key is not None]
    clients = [{"of": event.client_id, "before": event.position} for event in events if event.key is None]
    rows = [event._asdict() for event in events]
    for statement, values in (insert(_log), rows), (_REVOKE_TOKEN, tokens), (_REVOKE_ALL, clients):
        if values:
            connection.execute(statement, values)
