"""The statements of the SQL store, in SQLAlchemy Core."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    tuple_,
    update,
)

# Its ON CONFLICT is that of SQLite, too.
from sqlalchemy.dialects.postgresql import insert as upsert

from ...model import CLIENTS_PER_PAGE
from . import schema

_store, _client, _token, _log = schema.store, schema.clients, schema.tokens, schema.revocations
_once, _keys = schema.remembered, schema.key_set

# A literal, because SQLAlchemy would make a parameter of a number.
_NONE: ColumnElement[int] = literal_column("0")

# The size of a result shows in the time of an answer: there is always one row, and it is always of the same length.
FIND_VERIFIERS = select(func.coalesce(_client.c.verifiers, bindparam("blank", type_=LargeBinary))).select_from(
    _store.outerjoin(_client, _client.c.client_id == bindparam("client_id"))
)
FIND_CLIENT = select(_client.c.record, _client.c.revoked_before).where(
    _client.c.client_id == bindparam("client_id"), _client.c.deleted.is_(False)
)
CLIENTS_AFTER = (
    select(_client.c.client_id, _client.c.record, _client.c.revoked_before)
    .where(_client.c.client_id > bindparam("after"), _client.c.deleted.is_(False))
    .order_by(_client.c.client_id)
    .limit(literal_column(str(CLIENTS_PER_PAGE)))
    .offset(_NONE)
)
CLIENT_COLUMNS = ("client_id", "deleted", "revoked_before", "verifiers", "record")
INSERT_CLIENT = upsert(_client).inline().values({name: bindparam(name) for name in CLIENT_COLUMNS})
ADD_CLIENT = INSERT_CLIENT.on_conflict_do_nothing()
# ``revoked_before`` is written with the event: a service may change that column alone.
WRITE_CLIENT = (
    update(_client)
    .values({name: bindparam(name) for name in ("deleted", "verifiers", "record")})
    .where(_client.c.client_id == bindparam("id"))
)
READ_KEYS = select(_keys.c.record)
WRITE_KEYS = update(_keys).values(record=bindparam("record"))
# Whatever changes clients, keys or revocations but a copy: the store is no copy then.
NO_COPY = update(_store).values(origin=None).where(_store.c.origin.is_not(None))

_NUMBER = select(_client.c.number).where(_client.c.client_id == bindparam("client_id")).scalar_subquery()
ADD_TOKEN = insert(_token).values(
    key=bindparam("key"),
    client=_NUMBER,
    scope=bindparam("scope"),
    issued_at=bindparam("issued_at"),
    position=bindparam("position"),
    revoked=bindparam("revoked"),
    extra=bindparam("extra"),
)
TOKENS_OF_CLIENTS = _token.join(_client, _client.c.number == _token.c.client)
TOKEN = (_client.c.client_id, _token.c.scope, _token.c.issued_at, _token.c.position, _token.c.extra, _token.c.revoked)
FIND_TOKEN = (
    select(*TOKEN, _token.c.position < _client.c.revoked_before)
    .select_from(TOKENS_OF_CLIENTS)
    .where(_token.c.key == bindparam("key"))
)

_REMEMBER = upsert(_once).values(key=bindparam("key"), until=bindparam("until"))
REMEMBER_ONCE = _REMEMBER.on_conflict_do_update(
    index_elements=["key"], set_={"until": _REMEMBER.excluded.until}, where=_once.c.until < bindparam("now")
)
_OVER = select(_once.c.key).where(_once.c.until < bindparam("now")).order_by(_once.c.until).limit(literal_column("10"))
# Each new id removes a few expired ones, so that there are never many of them.
FORGET = delete(_once).where(_once.c.key.in_(_OVER.offset(_NONE).with_for_update(skip_locked=True)))

_EVENT = (_log.c.position, _log.c.client_id, _log.c.key, _log.c.log_only)
# In the order of the index that has these alone.
_LOG_ONLY = (_log.c.client_id, _log.c.key)
REVOKED_TOKENS = (
    select(_log.c.position, *_LOG_ONLY)
    .where(_log.c.log_only, tuple_(*_LOG_ONLY) > tuple_(bindparam("client_id"), bindparam("key")))
    .order_by(*_LOG_ONLY)
    .limit(bindparam("limit"))
    .offset(_NONE)
)
REVOKED_CLIENTS = (
    select(_client.c.revoked_before, _client.c.client_id, _client.c.number)
    .where(_client.c.revoked_before > _NONE, _client.c.number > bindparam("number"))
    .order_by(_client.c.number)
    .limit(bindparam("limit"))
    .offset(_NONE)
)


@cache
def read_log(store_id: ColumnElement[str]) -> Select[Any]:
    """One statement, so that the position and the events of the log are of the same moment.

    :param store_id: the id by which followers know the store.
    """
    later = select(*_EVENT).where(_log.c.position >= bindparam("after")).order_by(_log.c.position)
    # With a limit of its own, the subquery is read along the key, whatever the engine's statistics say.
    events = later.limit(bindparam("limit")).offset(_NONE).subquery()
    return (
        select(store_id, _store.c.position, _store.c.log_floor, *events.c)
        .select_from(_store.outerjoin(events, true()))
        .order_by(events.c.position)
    )


_EXPIRED = _token.c.key < bindparam("key")
_FIRST = select(_token.c.key).where(_EXPIRED).order_by(_token.c.key).limit(literal_column("1"))
FIND_BOUND = _FIRST.offset(bindparam("limit"))
SWEEP = delete(_token).where(_EXPIRED)
_ROWS = _FIRST.limit(bindparam("limit")).with_for_update(skip_locked=True)
SWEEP_ROWS = delete(_token).where(_token.c.key.in_(_ROWS))
