"""Signing keys in a SQL store.

Private keys go over the driver's connection alone: what watches SQLAlchemy, a tracing library perhaps, is given the
parameters of all of its statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, case, delete, insert, select, update

from ...errors import StoreUnavailable
from ...model import KeyRecord
from . import schema
from .engine import SQLEngine

_key = schema.signing_key

_ALL = select(
    _key.c.kid,
    _key.c.algorithm,
    _key.c.public,
    _key.c.private,
    _key.c.created_at,
    _key.c.signs_from,
    _key.c.needed_until,
).order_by(_key.c.signs_from, _key.c.kid)
ADD = insert(_key)
_LATEST = select(_key.c.kid).order_by(_key.c.signs_from.desc()).limit(1)


class SQLKeys:
    """See :class:`~oauth_mw.protocols.KeyStore`.

    :param append: appends an event to the log, for a client or, by ``""``, for all of them.
    """

    def __init__(self, engine: SQLEngine, append: Callable[[Connection, str], int]) -> None:
        self._engine = engine
        self._append = append
        self._all = engine.compiled(_ALL)
        self._add = engine.compiled(ADD)

    def signing_keys(self) -> Sequence[KeyRecord]:
        with self._engine.reading() as link:
            records = [KeyRecord(*row) for row in link.driver.execute(self._all).fetchall()]
        if not all(record.is_whole() for record in records):
            raise StoreUnavailable("a signing key's record is garbled")
        return records

    def add_signing_key(self, record: KeyRecord, latest: str) -> bool:
        with self._engine.transaction() as connection:
            if (connection.scalar(_LATEST) or "") != latest:
                return False
            add_record(connection, self._add, record)
        return True

    def need_signing_key(self, kid: str, until: int) -> bool:
        longer = case((_key.c.needed_until < until, until), else_=_key.c.needed_until)
        with self._engine.transaction() as connection:
            changed = connection.execute(update(_key).where(_key.c.kid == kid).values(needed_until=longer))
            return changed.rowcount == 1

    def remove_signing_key(self, kid: str) -> bool:
        with self._engine.transaction(ends_tokens=True) as connection:
            removed = connection.execute(delete(_key).where(_key.c.kid == kid)).rowcount == 1
            if removed:
                self._append(connection, "")
        return removed

    def drop_signing_key(self, kid: str, needed_until: int) -> bool:
        unneeded = delete(_key).where(_key.c.kid == kid, _key.c.needed_until <= needed_until)
        with self._engine.transaction() as connection:
            return connection.execute(unneeded).rowcount == 1


def add_record(connection: Connection, add: str, record: KeyRecord) -> None:
    """
    :param add: :data:`ADD`, compiled.
    """
    connection.connection.cursor().execute(add, tuple(record))
