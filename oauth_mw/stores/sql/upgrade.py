"""Upgrade a store from an earlier schema to the present one, which only ``oauth-mw store upgrade`` does.

All steps run in one transaction. The step from schema 2 gives each table that its workers use another name, so that
workers that still run fail at their next statement. Only the store's own row stays where they read the version.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from ...credentials import MAX_SECRETS
from ...errors import AdminError
from ...model import CLIENTS_PER_PAGE, Client, ClientSecret, KeyRecord, KeySet, TokenRecord
from .. import decoding, records
from ..copying import ROWS_PER_BATCH
from ..decoding import FAULTS, blob, flag, maybe, number, text, words
from ..versions import UPGRADABLE, Progress, other_version
from . import schema
from .engine import SQLEngine, by_driver
from .store import found_version


def upgrade(engine: SQLEngine, progress: Progress) -> str:
    """Upgrade the store to :data:`~oauth_mw.stores.sql.schema.VERSION`. Nothing is changed where it fails.

    :return: the path of a copy of the store as it was; empty where none was made.
    :raises AdminError: a row is garbled; the text names its table and client.
    :raises ConfigError: no store is there, or one that cannot be upgraded.
    :raises OSError: the copy could not be made.
    :raises StoreUnavailable: the store does not answer.
    """
    engine.check = lambda connection: _check(engine.url, found_version(engine, connection))
    engine.open(None)
    copy = ""
    try:
        with engine.transaction(revokes=True, upgrades=True) as connection:
            version = found_version(engine, connection)
            _check(engine.url, version)
            if version < schema.VERSION:
                copy = engine.begin_upgrade(connection)
            rows = _Rows(engine, connection)
            while version < schema.VERSION:
                _STEPS[version](rows, progress)
                version += 1
            rows.do("UPDATE @oauth_mw_store SET version = ?", version)
    except AdminError:
        if copy:
            os.unlink(copy)
        raise
    finally:
        engine.close()
    return copy


def _check(url: str, version: int) -> None:
    if not UPGRADABLE <= version <= schema.VERSION:
        raise other_version(url, version, schema.VERSION)


class _Rows:
    """Statements over the driver's connection, see :func:`~.engine.by_driver`.

    In a statement, ``@`` stands before the name of a table or sequence, and ``?`` for a value.
    """

    def __init__(self, engine: SQLEngine, connection: Connection) -> None:
        self.engine = engine
        self.connection = connection
        self.on_postgresql = connection.dialect.name == "postgresql"

    def _text(self, statement: str) -> str:
        if self.on_postgresql:
            return statement.replace("@", f"{schema.PLACE}.").replace("?", "%s")
        return statement.replace("@", "")

    def do(self, statement: str, *values: object) -> list[Any]:
        """Execute the statement and return its rows."""
        cursor = by_driver(self.connection, self._text(statement), *values)
        return list(cursor.fetchall()) if cursor.description else []

    def do_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.connection.connection.cursor().executemany(self._text(statement), rows)


# From schema 2, where each member of a client had a column and each secret a row.

_RENAMED = {"oauth_mw_token": "oauth_mw_tokens", "oauth_mw_log": "oauth_mw_revocations"}
_CLIENTS = f"""SELECT number, client_id, ended, deleted, name, scope, default_scope, lifetime, token_format, audiences,
default_audience, attributes, resource_server, enabled, created_at
FROM @oauth_mw_client WHERE number > ? ORDER BY number LIMIT {CLIENTS_PER_PAGE}"""
_SECRETS = """SELECT client, secret_id, salt, digest, label, created_at, not_after, weak
FROM @oauth_mw_secret WHERE client BETWEEN ? AND ? ORDER BY created_at, secret_id"""
_ADD_CLIENT = """INSERT INTO @oauth_mw_clients (number, client_id, deleted, revoked_before, verifiers, record)
VALUES (?, ?, ?, ?, ?, ?)"""
_KEYS = "SELECT kid, algorithm, public, private, created_at, signs_from, needed_until FROM @oauth_mw_signing_key"
_HAS_MORE = "(extra IS NOT NULL OR audience IS NOT NULL)"
_TOKENS = f"""SELECT key, client_id, extra, audience
FROM @oauth_mw_tokens LEFT JOIN @oauth_mw_clients ON number = client
WHERE {_HAS_MORE} AND key > ? ORDER BY key LIMIT {ROWS_PER_BATCH}"""


def _records(rows: _Rows, progress: Progress) -> None:
    """From 2 to 3: clients and signing keys become records."""
    for table, name in _RENAMED.items():
        rows.do(f"ALTER TABLE @{table} RENAME TO {name}")
    rows.do("ALTER TABLE @oauth_mw_tokens RENAME COLUMN attributes TO extra")
    rows.do("ALTER TABLE @oauth_mw_revocations RENAME COLUMN alone TO log_only")
    with_more = f"SELECT count(*) FROM @oauth_mw_tokens WHERE {_HAS_MORE}"
    ((total,),) = rows.do(f"SELECT count(*) + ({with_more}) FROM @oauth_mw_client")

    def done(count: int) -> None:
        progress(count, total)

    done(0)
    _make_tables(rows)
    _convert_clients(rows, done)
    keys: list[KeyRecord] = [_decoded("oauth_mw_signing_key", None, _key_from, *row) for row in rows.do(_KEYS)]
    rows.do("INSERT INTO @oauth_mw_key_set VALUES (1, ?)", records.key_set_text(KeySet.of(keys)))
    _convert_tokens(rows, done)
    for table in ("oauth_mw_secret", "oauth_mw_client", "oauth_mw_signing_key"):
        rows.do(f"DROP TABLE @{table}")
    # They recorded whether a copy was changed since. It counts as changed now.
    for table in ("oauth_mw_origin", "oauth_mw_copied"):
        rows.do(f"DROP TABLE IF EXISTS @{table}")
    rows.do("ALTER TABLE @oauth_mw_store ADD COLUMN origin VARCHAR(32)")


def _make_tables(rows: _Rows) -> None:
    """Create the new tables, and the indexes under new names, as schema 3 has them: a later step needs its own."""
    connection = rows.connection
    schema.clients.create(connection)
    schema.key_set.create(connection)
    rows.engine.hand_on(connection, "oauth_mw_client", schema.clients.name)
    rows.engine.hand_on(connection, "oauth_mw_signing_key", schema.key_set.name)
    if not rows.engine.has_table(connection, schema.remembered.name):  # stores of later code have it
        schema.remembered.create(connection)
    for name in ("oauth_mw_log_keep_until", "oauth_mw_log_alone"):
        rows.do(f"DROP INDEX IF EXISTS @{name}")
    for index in sorted(schema.revocations.indexes, key=lambda index: str(index.name)):
        index.create(connection)
    if rows.on_postgresql:
        rows.do("ALTER TABLE IF EXISTS @oauth_mw_mark RENAME TO oauth_mw_crash_marker")
        for table, name in {**_RENAMED, "oauth_mw_mark": "oauth_mw_crash_marker"}.items():
            rows.do(f"ALTER INDEX IF EXISTS @{table}_pkey RENAME TO {name}_pkey")


def _convert_clients(rows: _Rows, done: Callable[[int], None]) -> None:
    last = -1
    while page := rows.do(_CLIENTS, last):
        first, last = page[0][0], page[-1][0]
        ids = {row[0]: row[1] for row in page}
        secrets: dict[int, list[ClientSecret]] = {}
        for owner, *columns in rows.do(_SECRETS, first, last):
            secrets.setdefault(owner, []).append(_decoded("oauth_mw_secret", ids.get(owner), _secret_from, *columns))
        for owner, several in secrets.items():
            if len(several) > MAX_SECRETS:
                excess = f"the client {ids.get(owner)!r} has {len(several)} secrets, and {MAX_SECRETS} are the most"
                raise AdminError(f"{excess}: nothing was changed; revoke some by the oauth_mw that made the store")
        rows.do_many(_ADD_CLIENT, [_decoded("oauth_mw_client", row[1], _row_of, row, secrets) for row in page])
        done(len(page))
    if rows.on_postgresql and last > 0:
        rows.do(f"ALTER SEQUENCE @oauth_mw_clients_number_seq RESTART WITH {last + 1}")


def _row_of(row: Sequence[Any], secrets: Mapping[int, Sequence[ClientSecret]]) -> tuple[object, ...]:
    key, client_id, revoked_before, deleted, *columns = row
    start = number(key), text(client_id), flag(deleted), number(revoked_before)
    if flag(deleted):
        return *start, records.BLANK_VERIFIERS, ""
    name, scope, default_scope, lifetime, token_format, audiences, default_audience, attributes = columns[:8]
    resource_server, enabled, created_at = columns[8:]
    client = Client(
        client_id,
        text(name),
        words(scope),
        maybe(words, default_scope),
        maybe(decoding.lifetime, lifetime),
        maybe(decoding.token_format, token_format),
        maybe(words, audiences) or (),
        maybe(words, default_audience),
        *_attributes(attributes),
        flag(resource_server),
        flag(enabled),
        number(created_at),
        tuple(secrets.get(key, ())),
    )
    verifiers, record = records.client_row(client)
    records.client_from(client_id, record, revoked_before)  # so that nothing is written that cannot be read back
    return *start, verifiers, record


def _secret_from(*columns: Any) -> ClientSecret:
    secret_id, salt, digest, label, created_at, not_after, weak = columns
    times = number(created_at), maybe(number, not_after)
    return ClientSecret(text(secret_id), blob(salt), blob(digest), text(label), *times, flag(weak))


def _key_from(kid: Any, algorithm: Any, public: Any, private: Any, *times: Any) -> KeyRecord:
    created_at, signs_from, needed_until = map(number, times)
    return KeyRecord(text(kid), text(algorithm), text(public), text(private), created_at, signs_from, needed_until)


def _convert_tokens(rows: _Rows, done: Callable[[int], None]) -> None:
    """Rewrite the few rows that have attributes or audiences."""
    # SQLite would write every row anew to drop a column.
    emptied = "" if rows.on_postgresql else ", audience = NULL"
    last = b""
    while page := rows.do(_TOKENS, last):
        rows.do_many(
            f"UPDATE @oauth_mw_tokens SET extra = ?{emptied} WHERE key = ?",
            [_decoded("oauth_mw_token", row[1], _extra_of, *row) for row in page],
        )
        last = bytes(page[-1][0])
        done(len(page))
    if rows.on_postgresql:
        rows.do("ALTER TABLE @oauth_mw_tokens DROP COLUMN audience")


def _extra_of(key: Any, client_id: Any, attributes: Any, audience: Any) -> tuple[object, ...]:
    values, public = _attributes(attributes)
    token = TokenRecord("", "", 0, 0, values, public, maybe(words, audience) or ())
    extra = records.extra_text(token)
    records.extra_from(extra or "{}")
    return extra, blob(key)


def _attributes(found: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Custom attributes, each with whether it is public."""
    pairs = {} if found is None else json.loads(text(found))
    values = {name: value for name, (value, _) in pairs.items()}
    return decoding.attributes(values), frozenset(name for name, (_, public) in pairs.items() if flag(public))


def _decoded(table: str, client_id: object, reader: Callable[..., Any], *found: Any) -> Any:
    """Decode a row.

    :raises AdminError: the reader does not accept it.
    """
    try:
        return reader(*found)
    except FAULTS:
        whose = "" if client_id is None else f" of the client {client_id!r}"
        raise AdminError(f"a row{whose} in {table} is garbled: nothing was changed") from None


def _counters(rows: _Rows, progress: Progress) -> None:
    """From 3 to 4: two more tables. Nothing else changes, so workers that still run go on, but count nothing."""
    for table in (schema.counters, schema.last_uses):
        table.create(rows.connection)
        rows.engine.hand_on(rows.connection, "oauth_mw_tokens", table.name)


# By the version that they begin with.
_STEPS: Mapping[int, Callable[[_Rows, Progress], None]] = {2: _records, 3: _counters}
