"""Signing keys in a SQL store.

Private keys go over the driver's connection alone: what watches SQLAlchemy, a tracing library perhaps, is given the
parameters of all of its statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ...errors import StoreUnavailable
from ...model import KeyRecord, KeySet
from . import schema

_key = schema.signing_key

READ = select(*(_key.c[name] for name in KeyRecord._fields))
ADD = insert(_key)
_CHANGED = {name: bindparam(name, type_=_key.c[name].type) for name in KeyRecord._fields[1:]}
CHANGE = update(_key).values(_CHANGED).where(_key.c.kid == bindparam("same_kid"))


def key_set_from(rows: Sequence[Sequence[Any]]) -> KeySet:
    """
    :raises StoreUnavailable: they hold what was never written there.
    """
    records = [KeyRecord(*row) for row in rows]
    if not all(record.is_valid() for record in records):
        raise StoreUnavailable("a signing key's record is garbled")
    return KeySet.of(records)


def write_keys(connection: Connection, add: str, change: str, before: KeySet, after: KeySet) -> None:
    """Write what differs.

    :param add: :data:`ADD`, compiled; ``change``: :data:`CHANGE`.
    """
    gone = [record.kid for record in before.keys if after.find(record.kid) is None]
    if gone:
        connection.execute(delete(_key).where(_key.c.kid.in_(gone)))
    for record in after.keys:
        known = before.find(record.kid)
        if known is None:
            add_record(connection, add, record)
        elif known != record:
            connection.connection.cursor().execute(change, (*record[1:], record.kid))


def add_record(connection: Connection, add: str, record: KeyRecord) -> None:
    """
    :param add: :data:`ADD`, compiled.
    """
    connection.connection.cursor().execute(add, tuple(record))
