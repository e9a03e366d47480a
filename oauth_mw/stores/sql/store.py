"""The store on a SQL engine. What differs by engine lies in the engine's own module."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from ...credentials import VERIFIERS_BYTES, verifiers_of
from ...errors import ConfigError, StoreMissing
from ...model import Client, ClientSecret, Clock, DenylistPage, KeySet, LogPage, TokenRecord
from ...protocols import Copyable, Waiter
from ..versions import other_version
from . import keys, schema, statements
from .engine import SQLEngine
from .log import SQLLog
from .rows import (
    attributes_text,
    audience_text,
    client_from_rows,
    client_values,
    first_key,
    secret_values,
    token_from_row,
    verifiers_from_rows,
)

_store, _client, _secret, _token = schema.store, schema.client, schema.secret, schema.token


class SQLStore:
    """See the protocols in :mod:`oauth_mw.protocols`."""

    single_process = False
    rows_tell_revocation = True

    def __init__(self, engine: SQLEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.url = engine.url
        self.immediate = engine.immediate
        self._find_verifiers = engine.compiled(
            statements.VERIFIERS_IN_ONE_ROW if engine.locks_rows else statements.VERIFIERS_IN_ROWS
        )
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

    def _check(self, connection: Connection) -> None:
        # Asked first: a statement that fails keeps the frames of its callers alive, and with them what they opened.
        if not self._engine.has_table(connection, _store.name):
            raise StoreMissing(f"{self.url} holds no oauth_mw store")
        version = connection.scalar(select(_store.c.version).where(_store.c.one == 1))
        if type(version) is not int:
            # No start would make it: the tables are there.
            raise ConfigError(
                "store", f"{self.url} holds an oauth_mw store that has lost its own row, or it is damaged"
            )
        if version != schema.VERSION:
            raise other_version(self.url, version, schema.VERSION)

    # Clients

    def find_verifiers(self, client_id: str) -> bytes:
        with self._engine.reading() as link:
            rows = link.driver.execute(self._find_verifiers, (client_id,)).fetchall()
        verifiers = verifiers_from_rows(rows)
        if any(verifiers[VERIFIERS_BYTES:]):
            # More than a client may have, and maybe not all: older versions let that happen.
            client = self.find_client(client_id)
            return verifiers_of(client) if client else b""
        return verifiers[:VERIFIERS_BYTES]

    def find_client(self, client_id: str) -> Client | None:
        with self._engine.reading() as link:
            rows = link.driver.execute(self._find_client, (client_id,)).fetchall()
        return client_from_rows(rows)

    def clients(self, after: str = "") -> Sequence[Client]:
        with self._engine.reading() as link:
            rows = link.core.execute(statements.CLIENTS_AFTER, {"after": after}).all()
        found = (client_from_rows(list(group)) for _, group in groupby(rows, key=lambda row: str(row[0])))
        return [client for client in found if client]

    def add_client(self, client: Client) -> bool:
        row = {**client_values(client), "client_id": client.client_id, "created_at": client.created_at}
        with self._engine.transaction() as connection:
            if connection.execute(select(_client.c.number).where(_client.c.client_id == client.client_id)).first():
                return False
            connection.execute(insert(_client).values({**row, "deleted": False, "ended": 0}))
            _add_secrets(connection, client.client_id, client.secrets)
        return True

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        with self._engine.transaction(ends_tokens=revoke_tokens) as connection:
            known = client_from_rows(connection.execute(statements.FIND_CLIENT, {"client_id": client_id}).all())
            if known is None:
                return None
            try:
                client = change(known)
            except Exception as error:
                refusal = error
            else:
                revoked = {"ended": self._log.revoke_all(connection, client_id)} if revoke_tokens else {}
                _write_client(connection, known, client, revoked)
                return client and replace(client, revoked_before=revoked.get("ended", known.revoked_before))
        # Raised behind the commit: it may tell of what somebody had changed before, unconfirmed.
        raise refusal

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        attributes = attributes_text(token.attributes, token.public_attributes)
        audience = audience_text(token.audience)
        row = (key, token.client_id, token.scope, token.issued_at, token.position, token.revoked, attributes, audience)
        with self._engine.writing() as link:
            link.driver.execute(self._add_token, row)

    def find_token(self, key: bytes) -> TokenRecord | None:
        with self._engine.reading() as link:
            row = link.driver.execute(self._find_token, (key,)).fetchone()
        return token_from_row(row) if row else None

    def revoke_token(self, key: bytes) -> bool:
        with self._engine.transaction(ends_tokens=True) as connection:
            row = connection.execute(statements.FIND_TOKEN, {"key": key}).first()
            token = token_from_row(row) if row else None
            if token is None or token.revoked:
                return False
            connection.execute(update(_token).where(_token.c.key == key).values(revoked=True))
            self._log.append(connection, token.client_id, key)
        return True

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        with self._engine.transaction(ends_tokens=True) as connection:
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
        with self._engine.reading() as link:
            rows = link.driver.execute(self._engine.compiled(keys.READ)).fetchall()
        return keys.key_set_from(rows)

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        with self._engine.transaction(ends_tokens=revoke_all) as connection:
            cursor = connection.connection.cursor()
            cursor.execute(self._engine.compiled(keys.READ))
            before = keys.key_set_from(cursor.fetchall())
            try:
                after = change(before)
            except Exception as error:
                refusal = error
            else:
                if revoke_all:
                    self._log.append(connection, "")
                compiled = self._engine.compiled
                keys.write_keys(connection, compiled(keys.ADD), compiled(keys.CHANGE), before, after)
                return after
        raise refusal  # as in update_client

    # Revocation log

    def read_log(self, store_id: str, after: int) -> LogPage:
        return self._log.read(store_id, after)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        return self._log.read_denylist(after)


def _write_client(connection: Connection, known: Client, client: Client | None, revoked: Mapping[str, int]) -> None:
    """Write what differs from the client that is there; ``None`` deletes it.

    :param revoked: the column ``ended``, where all of its tokens are revoked.
    """
    before, gone = client_values(known), {"deleted": True, "enabled": False, "name": "", "attributes": None}
    after: Mapping[str, object] = client_values(client) if client else gone
    values = {**{name: value for name, value in after.items() if value != before.get(name)}, **revoked}
    mine = _client.c.client_id == known.client_id
    if values:
        connection.execute(update(_client).where(mine).values(values))
    secrets = client.secrets if client else ()
    left_out = [secret.secret_id for secret in known.secrets if secret not in secrets]
    if left_out:
        number = select(_client.c.number).where(mine).scalar_subquery()
        connection.execute(delete(_secret).where(_secret.c.client == number, _secret.c.secret_id.in_(left_out)))
    _add_secrets(connection, known.client_id, [secret for secret in secrets if secret not in known.secrets])


def _add_secrets(connection: Connection, client_id: str, secrets: Sequence[ClientSecret]) -> None:
    number = select(_client.c.number).where(_client.c.client_id == client_id).scalar_subquery()
    for secret in secrets:
        connection.execute(insert(_secret).values({**secret_values(secret), "client": number}))
