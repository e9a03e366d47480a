"""The store on a SQL engine. What differs by engine lies in the engine's own module."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.sql import ClauseElement

from ...errors import ConfigError, StoreMissing
from ...model import Client, Clock, DenylistPage, KeySet, LogPage, StoreStats, TokenRecord
from ...protocols import Copyable, Waiter
from ..decoding import read
from ..records import (
    BLANK_VERIFIERS,
    client_from,
    client_text,
    extra_text,
    key_set_from,
    key_set_text,
    padded_verifiers,
    verifiers_from,
)
from ..versions import other_version
from . import schema, statements
from .engine import SQLEngine, by_driver
from .log import CLIENT, KEYS, OWN_ROW, SQLLog
from .rows import first_key, token_from_row

_DELETED = True, BLANK_VERIFIERS, ""

_store, _token = schema.store, schema.tokens


class SQLStore:
    """See the protocols in :mod:`oauth_mw.protocols`."""

    single_process = False
    rows_tell_revocation = True

    def __init__(self, engine: SQLEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.url = engine.url
        self.immediate = engine.immediate
        self._find_verifiers = engine.compiled(statements.FIND_VERIFIERS)
        self._find_client = engine.compiled(statements.FIND_CLIENT)
        self._add_token = engine.compiled(statements.ADD_TOKEN)
        self._find_token = engine.compiled(statements.FIND_TOKEN)
        self._log = SQLLog(engine, clock)
        self._find_bound = engine.compiled(statements.FIND_BOUND)
        self._sweep = engine.compiled(statements.SWEEP_ROWS if engine.locks_rows else statements.SWEEP)
        engine.check = self._check

    def open(self, *, create: bool) -> None:
        """First contact.

        :raises ConfigError: no store there and ``create`` is false, or one that this code cannot use.
        :raises StoreUnavailable: the engine does not answer for now.
        """
        self._engine.open(self._create if create else None)

    @property
    def generation(self) -> Callable[[], object]:
        return self._engine.generation

    def verify(self) -> None:
        self._engine.verify()

    def on_revocation(self, callback: Callable[[], None]) -> None:
        self._engine.on_revocation(callback)

    def waiter(self) -> Waiter | None:
        return self._engine.waiter()

    def copyable(self) -> Copyable:
        from .copying import SQLCopying

        return SQLCopying(self._engine)

    def stats(self, now: int) -> StoreStats:
        from .stats import stats

        return stats(self, self._engine, now)

    def warnings(self) -> Sequence[str]:
        return self._engine.warnings()

    def close(self) -> None:
        self._engine.close()

    # Schema

    def _create(self, connection: Connection) -> None:
        if self._engine.has_table(connection, _store.name):
            return
        schema.metadata.create_all(connection, checkfirst=False)
        row = {"one": 1, "version": schema.VERSION, "store_id": secrets.token_hex(16), "position": 0, "log_floor": 0}
        connection.execute(insert(_store).values(row))
        connection.execute(insert(schema.key_set).values(one=1, record=key_set_text(KeySet())))

    def _check(self, connection: Connection) -> None:
        version = found_version(self._engine, connection)
        if version != schema.VERSION:
            raise other_version(self.url, version, schema.VERSION)

    # Clients

    def find_verifiers(self, client_id: str) -> bytes:
        row = self._engine.read_row(self._find_verifiers, (BLANK_VERIFIERS, client_id))
        return read(OWN_ROW if row is None else CLIENT, verifiers_from, *(row or (None,)))

    def find_client(self, client_id: str) -> Client | None:
        row = self._engine.read_row(self._find_client, (client_id,))
        return read(CLIENT, client_from, client_id, *row) if row else None

    def clients(self, after: str = "") -> Sequence[Client]:
        with self._engine.reading() as link:
            rows = link.driver.execute(self._engine.compiled(statements.CLIENTS_AFTER), (after,)).fetchall()
        return [read(CLIENT, client_from, *row) for row in rows]

    def add_client(self, client: Client) -> bool:
        row = client.client_id, False, 0, padded_verifiers(client), client_text(client)
        with self._engine.transaction() as connection:
            added = bool(self._execute(connection, statements.ADD_CLIENT, *row).rowcount)
            if added:
                connection.execute(statements.NO_COPY)
            return added

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        with self._engine.transaction(revokes=revoke_tokens) as connection:
            row = self._execute(connection, statements.FIND_CLIENT, client_id).fetchone()
            if row is None:
                return None
            known: Client = read(CLIENT, client_from, client_id, *row)
            try:
                client = change(known)
            except Exception as error:
                refusal = error
            else:
                revoked_before = known.revoked_before
                if revoke_tokens:
                    revoked_before = self._log.revoke_all(connection, client_id)
                # Not the clients themselves: an attribute that is 1 equals one that is true.
                if client is None or client_text(client) != client_text(known):
                    row = (False, padded_verifiers(client), client_text(client)) if client else _DELETED
                    self._execute(connection, statements.WRITE_CLIENT, *row, client_id)
                    connection.execute(statements.NO_COPY)
                return client and replace(client, revoked_before=revoked_before)
        # Raised after the commit: what it says may follow from a change that another caller made, and is confirmed now.
        raise refusal

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        row = (key, token.client_id, token.scope, token.issued_at, token.position, token.revoked, extra_text(token))
        with self._engine.writing() as link:
            link.driver.execute(self._add_token, row)

    def find_token(self, key: bytes) -> TokenRecord | None:
        row = self._engine.read_row(self._find_token, (key,))
        return token_from_row(row) if row else None

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        with self._engine.transaction(revokes=True) as connection:
            row = connection.execute(statements.FIND_TOKEN, {"key": key}).first()
            token = token_from_row(row) if row else None
            owner = token.client_id if token else caller
            if not owner or (token and token.revoked):
                return False
            connection.execute(update(_token).where(_token.c.key == key).values(revoked=True))
            self._log.append(connection, owner, key)
        return True

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        with self._engine.transaction(revokes=True) as connection:
            return self._log.revoke_log_only(connection, client_id, key, position)

    def remember_once(self, key: bytes, until: int) -> bool:
        now, engine = int(self._clock()), self._engine
        with engine.writing() as link:
            link.driver.execute(engine.compiled(statements.FORGET), (now,))
            return bool(link.driver.execute(engine.compiled(statements.REMEMBER_ONCE), (key, until, now)).rowcount)

    def sweep(self, now: int, limit: int) -> int:
        expired = first_key(now)
        with self._engine.writing() as link:
            if self._engine.locks_rows:
                return int(link.driver.execute(self._sweep, (expired, limit)).rowcount)
            following = link.driver.execute(self._find_bound, (expired, limit)).fetchone()
            rows = int(link.driver.execute(self._sweep, (following[0] if following else expired,)).rowcount)
        self._engine.swept(rows)
        return rows

    def count_tokens(self, before: int | None = None) -> int:
        count = select(func.count()).select_from(_token)
        if before is not None:
            count = count.where(_token.c.key < first_key(before))
        with self._engine.reading() as link:
            return int(link.core.execute(count).scalar_one())

    # Signing keys

    def read_keys(self) -> KeySet:
        return _key_set(self._engine.read_row(self._engine.compiled(statements.READ_KEYS), ()))

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        with self._engine.transaction(revokes=revoke_all) as connection:
            known = _key_set(self._execute(connection, statements.READ_KEYS).fetchone())
            try:
                keys = change(known)
            except Exception as error:
                refusal = error
            else:
                if revoke_all:
                    self._log.append(connection, "")
                if key_set_text(keys) != key_set_text(known):
                    self._execute(connection, statements.WRITE_KEYS, key_set_text(keys))
                    connection.execute(statements.NO_COPY)
                return keys
        raise refusal  # as in update_client

    def _execute(self, connection: Connection, statement: ClauseElement, *values: object) -> Any:
        return by_driver(connection, self._engine.compiled(statement), *values)

    # Revocation log

    def read_log(self, store_id: str, after: int) -> LogPage:
        return self._log.read(store_id, after)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        return self._log.read_denylist(after)


def _key_set(row: Sequence[Any] | None) -> KeySet:
    return read(KEYS, key_set_from, *(row or (None,)))


def found_version(engine: SQLEngine, connection: Connection) -> int:
    """The version of the schema that is there.

    :raises ConfigError: no store is there, or one that is damaged.
    """
    # Asked first: a statement that fails keeps the frames of its callers alive, and with them what they opened.
    if not engine.has_table(connection, _store.name):
        raise StoreMissing(f"{engine.url} holds no oauth_mw store")
    version = connection.scalar(select(_store.c.version).where(_store.c.one == 1))
    if type(version) is not int:
        # No start would make it: the tables are there.
        raise ConfigError("store", f"{engine.url} holds an oauth_mw store that has lost its own row, or it is damaged")
    return version
