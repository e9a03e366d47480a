"""A store on a SQL engine is copied, or becomes a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, literal_column, select, true, update

from ...model import CLIENTS_PER_PAGE, ClientRecord, KeyRecord, LogRecord, LogState, StoreStats, TokenRecord
from ..copying import ROWS_PER_BATCH, digest, occupied, other_copy, own_client, own_events
from ..decoding import blob, flag, maybe, number, read, text
from . import copy_tables, keys, schema
from .engine import SQLEngine
from .log import EVENT, OWN_ROW
from .rows import TOKEN_COLUMNS, token_from_row

_store, _client, _token, _log = schema.store, schema.client, schema.token, schema.log

_STANDING = select(_store.c.store_id, _store.c.position, _store.c.log_floor)
_BELONGS = select(copy_tables.origin.c.store_id, copy_tables.origin.c.position, _store.c.position).select_from(
    copy_tables.origin.join(_store, true())
)
_PAGE = (
    select(_client.c.client_id)
    .where(_client.c.client_id > bindparam("after"))
    .order_by(_client.c.client_id)
    .limit(CLIENTS_PER_PAGE)
)
_EVENTS = (
    select(_log.c.position, _log.c.client_id, _log.c.key, _log.c.keep_until, _log.c.alone)
    .where(_log.c.position > bindparam("after"))
    .order_by(_log.c.position)
    .limit(ROWS_PER_BATCH)
)
# In the order of their keys, tokens of two stores are compared by ranges: far less work than to ask for each key.
_NO_OFFSET: ColumnElement[int] = literal_column("0")  # SQLAlchemy makes it a parameter for SQLite where it is missing
_KEYS = (
    select(_token.c.key)
    .where(_token.c.key > bindparam("after"))
    .order_by(_token.c.key)
    .limit(literal_column(str(ROWS_PER_BATCH)))
    .offset(_NO_OFFSET)
)
_RANGE = _token.c.key.between(bindparam("first"), bindparam("last"))
_KEYS_HERE = select(_token.c.key).where(_RANGE).limit(literal_column(str(2 * ROWS_PER_BATCH))).offset(_NO_OFFSET)
_TOKENS = (
    select(_token.c.key, *TOKEN_COLUMNS, _token.c.revoked)
    .select_from(_token.join(_client, _client.c.number == _token.c.client))
    .where(_RANGE)
)


KEY = "a token's key"


class SQLCopying:
    """See :class:`~oauth_mw.protocols.Copyable`."""

    def __init__(self, engine: SQLEngine) -> None:
        self._engine = engine
        self._keys = engine.compiled(_KEYS)
        self._keys_here = engine.compiled(_KEYS_HERE)
        self._tokens = engine.compiled(_TOKENS)
        self._add_token = engine.compiled(copy_tables.ADD_TOKEN)
        self._add_key = engine.compiled(keys.ADD)

    def log_state(self) -> LogState:
        with self._engine.reading() as link:
            return _standing(link.core)

    def read_clients(self) -> Iterator[Sequence[ClientRecord]]:
        after = ""
        while True:
            with self._engine.reading() as link:
                page = copy_tables.records(link.core, _PAGE, after=after)
            yield page
            if len(page) < CLIENTS_PER_PAGE:
                return
            after = page[-1].client.client_id

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        while True:
            with self._engine.reading() as link:
                page = [read(EVENT, _event, *row) for row in link.core.execute(_EVENTS, {"after": after})]
            yield page
            if len(page) < ROWS_PER_BATCH:
                return
            after = page[-1].position

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        after = (now + 1).to_bytes(4)
        while True:
            with self._engine.reading() as link:
                page = [read(KEY, blob, row[0]) for row in link.driver.execute(self._keys, (after,)).fetchall()]
            yield page
            if len(page) < ROWS_PER_BATCH:
                return
            after = page[-1]

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        wanted = set(keys)
        with self._engine.reading() as link:
            rows = link.driver.execute(self._tokens, (min(keys), max(keys))).fetchall()
        return [(row[0], token_from_row(row[1:])) for row in rows if row[0] in wanted]

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        with self._engine.reading() as link:
            rows = link.driver.execute(self._keys_here, (min(keys), max(keys))).fetchall()
            if len(rows) == 2 * ROWS_PER_BATCH:
                # They do not come in order: there is too much between them.
                rows = link.core.execute(select(_token.c.key).where(_token.c.key.in_(keys))).all()
        here = {row[0] for row in rows}
        return [key for key in keys if key not in here]

    def stats(self, now: int) -> StoreStats:
        from .stats import stats

        return stats(self._engine, now)

    # As a copy

    def become_copy(self, origin: str) -> None:
        with self._engine.reading() as link:
            began = self._engine.has_table(link.core, copy_tables.origin.name)
            if began:
                self._check(link.core, origin)
            elif not copy_tables.is_empty(link.core):
                raise occupied(self._engine.url)
        if began:
            for page in self.read_clients():
                with self._engine.reading() as link:
                    self._check_clients(link.core, page)
            return
        with self._engine.transaction() as connection:
            if self._engine.has_table(connection, copy_tables.origin.name):  # somebody was faster
                self._check(connection, origin)
                return
            if not copy_tables.is_empty(connection):
                raise occupied(self._engine.url)
            copy_tables.metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(copy_tables.origin).values(one=1, store_id=origin, position=0, kids=""))

    def _check(self, connection: Connection, origin: str) -> None:
        store_id, position, now = connection.execute(_BELONGS).one()
        if store_id != origin:
            raise other_copy(self._engine.url)
        if position != now:
            raise own_events(self._engine.url)

    def _check_clients(self, connection: Connection, here: Sequence[ClientRecord]) -> Mapping[str, bytes]:
        """The digests of what was written; it must be what is here."""
        ids = [record.client.client_id for record in here]
        written = select(copy_tables.copied.c.client_id, copy_tables.copied.c.digest).where(
            copy_tables.copied.c.client_id.in_(ids)
        )
        digests = {client_id: found for client_id, found in connection.execute(written)}
        for record in here:
            if digest(record) != digests.get(record.client.client_id):
                raise own_client(self._engine.url, record.client.client_id)
        return digests

    def take_clients(self, origin: str, records: Sequence[ClientRecord]) -> Sequence[ClientRecord]:
        with self._engine.reading() as link:
            if not self._differing(link.core, records)[1]:
                return []
        with self._engine.transaction() as connection:
            self._check(connection, origin)
            known, differing = self._differing(connection, records)
            if differing:
                copy_tables.write_clients(connection, known, differing)
            return differing

    def _differing(
        self, connection: Connection, records: Sequence[ClientRecord]
    ) -> tuple[Mapping[str, int], Sequence[ClientRecord]]:
        """What is here, with the position of its end, and the records that are not, or not so."""
        ids = [record.client.client_id for record in records]
        here = copy_tables.records(connection, select(_client.c.client_id).where(_client.c.client_id.in_(ids)))
        digests = self._check_clients(connection, here)
        ended = {record.client.client_id: record.ended for record in here}
        return ended, [
            record
            for record in records
            if digests.get(record.client.client_id) != digest(record)
            or ended.get(record.client.client_id, -1) < record.ended
        ]

    def take_events(self, origin: str, events: Sequence[LogRecord], position: int, floor: int) -> None:
        here = self.log_state()
        if not events and position <= here.position and floor <= here.floor:
            return
        with self._engine.transaction(ends_tokens=True) as connection:
            self._check(connection, origin)
            here = _standing(connection)
            new = [event for event in events if event.position > here.position]
            copy_tables.append(connection, new)
            position = max(position, here.position)
            connection.execute(update(_store).values(position=position, log_floor=max(floor, here.floor)))
            connection.execute(update(copy_tables.origin).values(position=position))

    def take_signing_keys(self, origin: str, records: Sequence[KeyRecord]) -> int:
        with self._engine.transaction() as connection:
            self._check(connection, origin)
            return copy_tables.write_keys(connection, records, self._add_key)

    def take_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        with self._engine.transaction() as connection:
            self._check(connection, origin)
            if not tokens:
                return 0
            cursor = connection.connection.cursor()
            cursor.executemany(self._add_token, [copy_tables.token_values(*each) for each in tokens])
            return int(cursor.rowcount)


def _standing(connection: Connection) -> LogState:
    def judged(store_id: Any, position: Any, floor: Any) -> LogState:
        return LogState(text(store_id), number(position), number(floor))

    return read(OWN_ROW, judged, *connection.execute(_STANDING).one())


def _event(position: Any, client_id: Any, key: Any, keep_until: Any, alone: Any) -> LogRecord:
    return LogRecord(number(position), text(client_id), maybe(blob, key), number(keep_until), flag(alone))
