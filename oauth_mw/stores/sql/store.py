"""The store on a SQL engine. What differs by engine lies in the engine's own module."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.sql import ClauseElement

from ...errors import ConfigError, StoreMissing
from ...model import (
    EVICTION,
    NOTHING_COUNTED,
    Client,
    Clock,
    Count,
    Counted,
    KeySet,
    Sizes,
    StoreStats,
    TokenRecord,
    Verifiers,
)
from ...protocols import Copyable
from ..decoding import read
from ..records import (
    BLANK_VERIFIERS,
    client_from,
    client_row,
    client_text,
    extra_text,
    key_set_from,
    key_set_text,
    verifiers_from,
)
from ..versions import other_version
from . import schema, statements
from .counters import SQLCounters
from .engine import SQLEngine, by_driver
from .listing import tokens_of
from .log import CLIENT, KEYS, OWN_ROW, SQLLog
from .rows import first_key, token_from_row
from .uses import forget_uses, last_uses, note_uses

# For bytes, sqlite3 looks for an adapter at each call; for these it does not.
_Parameter = bytearray
_BLANK = _Parameter(BLANK_VERIFIERS)

_DELETED = True, BLANK_VERIFIERS, ""

_store, _token = schema.store, schema.tokens


class SQLStore:
    """See the protocols in :mod:`oauth_mw.protocols`.

    :param engine: its connections; public for tests of one engine.
    """

    single_process = False
    rows_show_all = True

    def __init__(self, engine: SQLEngine, clock: Clock, sizes: Sizes) -> None:
        self.engine = engine
        self.sizes = sizes
        self._clock = clock
        self.url = engine.url
        self.generation_shows_all = engine.generation_shows_all
        self._find_verifiers = engine.compiled(statements.FIND_VERIFIERS)
        self._find_client = engine.compiled(statements.FIND_CLIENT)
        self._add_token = engine.compiled(statements.ADD_TOKEN)
        self._find_token = engine.compiled(statements.FIND_TOKEN)
        self._log = SQLLog(engine, clock, sizes)
        self._counters = SQLCounters(engine, clock)
        self.count = self._counters.count
        self.tokens_of = partial(tokens_of, engine, sizes.counted)
        self.note_uses, self.last_uses = partial(note_uses, engine), partial(last_uses, engine)
        self.read_log, self.read_denylist = self._log.read, self._log.read_denylist
        self.count_events = self._log.count
        self.verify, self.on_revocation, self.waiter = engine.verify, engine.on_revocation, engine.waiter
        self.warnings, self.close = engine.warnings, engine.close
        self._find_bound = engine.compiled(statements.FIND_BOUND)
        self._sweep = engine.compiled(statements.SWEEP_ROWS if engine.locks_rows else statements.SWEEP)
        engine.check = self._check

    def open(self, *, create: bool) -> None:
        """See :meth:`oauth_mw.protocols.Store.open`."""
        self.engine.open(self._create if create else None)

    @property
    def generation(self) -> Callable[[], object]:
        return self.engine.generation

    def copyable(self) -> Copyable:
        from .copying import SQLCopying

        return SQLCopying(self.engine)

    def stats(self, now: int) -> StoreStats:
        from .stats import stats

        return stats(self, self.engine, now)

    # Schema

    def _create(self, connection: Connection) -> None:
        if self.engine.has_table(connection, _store.name):
            return
        schema.metadata.create_all(connection, checkfirst=False)
        row = {"one": 1, "version": schema.VERSION, "store_id": secrets.token_hex(16), "position": 0, "swept_until": 0}
        connection.execute(insert(_store).values(row))
        connection.execute(insert(schema.key_set).values(one=1, record=key_set_text(KeySet())))

    def _check(self, connection: Connection) -> None:
        version = found_version(self.engine, connection)
        if version != schema.VERSION:
            raise other_version(self.url, version, schema.VERSION)

    # Clients

    def find_verifiers(self, client_id: str) -> Verifiers:
        row = self.engine.read_row(self._find_verifiers, (_BLANK, client_id))
        return read(OWN_ROW if row is None else CLIENT, verifiers_from, *(row or (None, None)))

    def find_client(self, client_id: str) -> Client | None:
        row = self.engine.read_row(self._find_client, (client_id,))
        return read(CLIENT, client_from, client_id, *row) if row else None

    def clients(self, after: str = "") -> Sequence[Client]:
        with self.engine.reading() as link:
            rows = link.driver.execute(self.engine.compiled(statements.CLIENTS_AFTER), (after,)).fetchall()
        return [read(CLIENT, client_from, *row) for row in rows]

    def add_client(self, client: Client) -> bool:
        row = client.client_id, False, 0, *client_row(client)
        with self.engine.transaction() as connection:
            added = bool(self._execute(connection, statements.add_client(self.engine.upsert), *row).rowcount)
            if added:
                connection.execute(statements.NO_COPY)
            return added

    def update_client(
        self,
        client_id: str,
        change: Callable[[Client], Client | None],
        *,
        revoke_tokens: bool = False,
        issued_before: int | None = None,
        evict_tokens: bool = False,
    ) -> Client | None:
        with self.engine.transaction(revokes=revoke_tokens or evict_tokens) as connection:
            row = self._execute(connection, statements.FIND_CLIENT, client_id).fetchone()
            if row is None:
                return None
            stored: Client = read(CLIENT, client_from, client_id, *row)
            try:
                client = change(stored)
            except Exception as error:
                refusal = error
            else:
                revoked_before = stored.revoked_before
                if revoke_tokens:
                    revoked_before = self._log.revoke_all(connection, client_id, issued_before)
                elif evict_tokens:
                    self._log.append(connection, client_id, EVICTION)
                # Compared as texts, because an attribute that is 1 equals one that is true.
                if client is None or client_text(client) != client_text(stored):
                    row = (False, *client_row(client)) if client else _DELETED
                    self._execute(connection, statements.WRITE_CLIENT, *row, client_id)
                    connection.execute(statements.NO_COPY)
                    forget_uses(self.engine, connection, stored, client)
                return client and replace(client, revoked_before=revoked_before)
        # Raised after the commit: it may be based on a change of another caller, which is confirmed by now.
        raise refusal

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord, counts: Sequence[Count] = ()) -> Counted:
        extra = extra_text(token) or ""
        row = (token.client_id, token.scope, token.issued_at, token.position, int(token.revoked), extra)
        if counts:
            return self._counters.count(counts, (_Parameter(key), *row))
        self.engine.write_row(self._add_token, (_Parameter(key), *row))
        return NOTHING_COUNTED

    def find_token(self, key: bytes) -> TokenRecord | None:
        row = self.engine.read_row(self._find_token, (_Parameter(key),))
        return token_from_row(row) if row else None

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        with self.engine.transaction(revokes=True) as connection:
            row = connection.execute(statements.FIND_TOKEN, {"key": key}).first()
            token = token_from_row(row) if row else None
            owner = token.client_id if token else caller
            if not owner or (token and token.revoked):
                return False
            connection.execute(update(_token).where(_token.c.key == key).values(revoked=True))
            self._log.append(connection, owner, key)
        return True

    def revoke_log_only(self, client_id: str, key: bytes, position: int, issued_at: int = 0) -> int:
        with self.engine.transaction(revokes=True) as connection:
            return self._log.revoke_log_only(connection, client_id, key, position, issued_at)

    def remember_once(self, key: bytes, until: int) -> bool:
        now, engine = int(self._clock()), self.engine
        with engine.writing() as link:
            link.driver.execute(engine.compiled(statements.FORGET), (now,))
            once = engine.compiled(statements.remember_once(engine.upsert))
            return bool(link.driver.execute(once, (key, until, now)).rowcount)

    def sweep(self, now: int, limit: int) -> int:
        expired = first_key(now)
        with self.engine.writing() as link:
            if self.engine.locks_rows:
                return int(link.driver.execute(self._sweep, (expired, limit)).rowcount)
            following = link.driver.execute(self._find_bound, (expired, limit)).fetchone()
            rows = int(link.driver.execute(self._sweep, (following[0] if following else expired,)).rowcount)
        self.engine.swept(rows)
        return rows

    def count_tokens(self, before: int | None = None) -> int:
        count = select(func.count()).select_from(_token)
        if before is not None:
            count = count.where(_token.c.key < first_key(before))
        with self.engine.reading() as link:
            return int(link.core.execute(count).scalar_one())

    # Signing keys

    def read_keys(self) -> KeySet:
        return _key_set(self.engine.read_row(self.engine.compiled(statements.READ_KEYS), ()))

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        with self.engine.transaction(revokes=revoke_all) as connection:
            stored = _key_set(self._execute(connection, statements.READ_KEYS).fetchone())
            try:
                keys = change(stored)
            except Exception as error:
                refusal = error
            else:
                if revoke_all:
                    self._log.append(connection, "")
                if key_set_text(keys) != key_set_text(stored):
                    self._execute(connection, statements.WRITE_KEYS, key_set_text(keys))
                    connection.execute(statements.NO_COPY)
                return keys
        raise refusal  # as in update_client

    def _execute(self, connection: Connection, statement: ClauseElement, *values: object) -> Any:
        return by_driver(connection, self.engine.compiled(statement), *values)


def _key_set(row: Sequence[Any] | None) -> KeySet:
    return read(KEYS, key_set_from, *(row or (None,)))


def found_version(engine: SQLEngine, connection: Connection) -> int:
    """The version of the schema that is there.

    :raises ConfigError: no store is there, or one that is damaged.
    """
    # Checked first: a statement that fails keeps the frames of its callers alive, and with them what they opened.
    if not engine.has_table(connection, _store.name):
        raise StoreMissing(f"{engine.url} holds no oauth_mw store")
    version = connection.scalar(select(_store.c.version).where(_store.c.one == 1))
    if type(version) is not int:
        # No start would create the row, because the tables are there.
        raise ConfigError("store", f"{engine.url} holds an oauth_mw store that has lost its own row, or it is damaged")
    return version
