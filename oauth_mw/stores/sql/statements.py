"""The statements of the SQL store, in SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.sql import ClauseElement

from ...model import CLIENTS_PER_PAGE
from . import schema

_store, _client, _token, _log = schema.store, schema.clients, schema.tokens, schema.revocations
_once, _keys, _counter, _use = schema.remembered, schema.key_set, schema.counters, schema.last_uses

# A literal, because SQLAlchemy would make a parameter of a number.
NONE: ColumnElement[int] = literal_column("0")


def page(rows: Select[Any], first: ColumnElement[Any], size: int) -> Select[Any]:
    """Limit ``rows`` to the ``size`` that follow the parameter ``after``, in the order of the column ``first``."""
    following = rows.where(first > bindparam("after")).order_by(first)
    return following.limit(literal_column(str(size))).offset(NONE)


# How large a result is shows in how long an answer takes: there is always one row of the same length.
FIND_VERIFIERS = select(
    func.coalesce(_client.c.verifiers, bindparam("blank", type_=LargeBinary)),
    func.coalesce(_client.c.revoked_before, NONE),
).select_from(_store.outerjoin(_client, _client.c.client_id == bindparam("client_id")))
FIND_CLIENT = select(_client.c.record, _client.c.revoked_before).where(
    _client.c.client_id == bindparam("client_id"), _client.c.deleted.is_(False)
)
_LISTED = select(_client.c.client_id, _client.c.record, _client.c.revoked_before).where(_client.c.deleted.is_(False))
CLIENTS_AFTER = page(_LISTED, _client.c.client_id, CLIENTS_PER_PAGE)
CLIENT_COLUMNS = ("client_id", "deleted", "revoked_before", "verifiers", "record")
# ``revoked_before`` is written with the event: a service may change that column alone.
WRITE_CLIENT = (
    update(_client)
    .values({name: bindparam(name) for name in ("deleted", "verifiers", "record")})
    .where(_client.c.client_id == bindparam("id"))
)
READ_KEYS = select(_keys.c.record)
WRITE_KEYS = update(_keys).values(record=bindparam("record"))
# Executed with every change of clients, keys or revocations that is not made by a copy.
NO_COPY = update(_store).values(origin=None).where(_store.c.origin.is_not(None))

_NUMBER = select(_client.c.number).where(_client.c.client_id == bindparam("client_id")).scalar_subquery()
# Parameters that are numbers or texts: of others, such as true and none, sqlite3 looks for an adapter at each call.
ADD_TOKEN = insert(_token).values(
    key=bindparam("key"),
    client=_NUMBER,
    scope=bindparam("scope"),
    issued_at=bindparam("issued_at"),
    position=bindparam("position"),
    revoked=bindparam("revoked", type_=Integer) != literal_column("0"),
    extra=func.nullif(bindparam("extra"), literal_column("''")),
)
TOKENS_OF_CLIENTS = _token.join(_client, _client.c.number == _token.c.client)
ROW = (_client.c.client_id, _token.c.scope, _token.c.issued_at, _token.c.position, _token.c.extra, _token.c.revoked)
# The key of the client's event at the position after its ``revoked_before``, if there is one.
NEXT_KEY = (
    select(_log.c.key)
    .where(_log.c.position == _client.c.revoked_before + literal_column("1"), _log.c.client_id == _client.c.client_id)
    .correlate(_client)
    .scalar_subquery()
)
# Which tokens of the client are revoked together; NULL if the token cannot be among them.
_is_before = _token.c.position < _client.c.revoked_before
CUTOFF = (case((_is_before, _client.c.revoked_before)), case((_is_before, NEXT_KEY)))
FIND_TOKEN = select(*ROW, *CUTOFF).select_from(TOKENS_OF_CLIENTS).where(_token.c.key == bindparam("key"))


def _remove_some(table: Table) -> ClauseElement:
    """Remove a few rows that are over. Executed with each new one, it keeps their number small."""
    over = select(table.c.key).where(table.c.until < bindparam("now")).order_by(table.c.until)
    some = over.limit(literal_column("10")).offset(NONE).with_for_update(skip_locked=True)
    return delete(table).where(table.c.key.in_(some))


FORGET, REMOVE_COUNTERS = _remove_some(_once), _remove_some(_counter)
READ_COUNTER = select(_counter.c.value).where(_counter.c.key == bindparam("key"))

LAST_USES = select(_use).where(_use.c.client_id.in_(bindparam("ids", expanding=True)))
FORGET_CLIENT = delete(_use).where(_use.c.client_id == bindparam("client_id"))
FORGET_SECRET = FORGET_CLIENT.where(_use.c.secret_id == bindparam("secret_id"))

_EVENT = (_log.c.position, _log.c.client_id, _log.c.key, _log.c.log_only)
# In the order of the index on these columns.
_LOG_ONLY = (_log.c.client_id, _log.c.key)
REVOKED_TOKENS = (
    select(_log.c.position, *_LOG_ONLY)
    .where(_log.c.log_only, tuple_(*_LOG_ONLY) > tuple_(bindparam("client_id"), bindparam("key")))
    .order_by(*_LOG_ONLY)
    .limit(bindparam("limit"))
    .offset(NONE)
)
REVOKED_CLIENTS = (
    select(_client.c.revoked_before, _client.c.client_id, _client.c.number)
    .where(_client.c.revoked_before > NONE, _client.c.number > bindparam("number"))
    .order_by(_client.c.number)
    .limit(bindparam("limit"))
    .offset(NONE)
)


@cache
def read_log(store_id: ColumnElement[str]) -> Select[Any]:
    """One statement, so that the position and the events of the log are of the same moment.

    :param store_id: the id by which followers know the store.
    """
    later = select(*_EVENT).where(_log.c.position >= bindparam("after")).order_by(_log.c.position)
    # With a limit of its own, the subquery is read along the key, whatever the engine's statistics say.
    events = later.limit(bindparam("limit")).offset(NONE).subquery()
    return (
        select(store_id, _store.c.position, _store.c.swept_until, *events.c)
        .select_from(_store.outerjoin(events, true()))
        .order_by(events.c.position)
    )


# A dialect's own ``insert`` of a table, which has ON CONFLICT.
Upsert = Callable[[Any], Any]


def put_client(upsert: Upsert) -> Any:
    return upsert(_client).inline().values({name: bindparam(name) for name in CLIENT_COLUMNS})


@cache
def add_client(upsert: Upsert) -> ClauseElement:
    added: ClauseElement = put_client(upsert).on_conflict_do_nothing()
    return added


@cache
def remember_once(upsert: Upsert) -> ClauseElement:
    row = upsert(_once).values(key=bindparam("key"), until=bindparam("until"))
    remembered: ClauseElement = row.on_conflict_do_update(
        index_elements=["key"], set_={"until": row.excluded.until}, where=_once.c.until < bindparam("now")
    )
    return remembered


@cache
def count(upsert: Upsert) -> ClauseElement:
    """One more in a counter; it returns no row if the counter is at its limit."""
    one: ColumnElement[int] = literal_column("1")
    row = upsert(_counter).values(key=bindparam("key"), until=bindparam("until"), value=one)
    counted: ClauseElement = row.on_conflict_do_update(
        index_elements=["key"], set_={"value": _counter.c.value + one}, where=_counter.c.value < bindparam("limit")
    ).returning(_counter.c.value)
    return counted


@cache
def note_use(upsert: Upsert) -> ClauseElement:
    """Of a client that there is, the last use of a secret."""
    values = (bindparam(name, type_=_use.c[name].type) for name in ("secret_id", "used_at"))
    client = (_client.c.client_id == bindparam("client_id")) & _client.c.deleted.is_(False)
    row = upsert(_use).from_select([*_use.c.keys()], select(_client.c.client_id, *values).where(client))
    noted: ClauseElement = row.on_conflict_do_update(
        index_elements=["client_id", "secret_id"],
        set_={"used_at": row.excluded.used_at},
        where=_use.c.used_at < row.excluded.used_at,
    )
    return noted


_EXPIRED = _token.c.key < bindparam("key")
_FIRST = select(_token.c.key).where(_EXPIRED).order_by(_token.c.key).limit(literal_column("1"))
FIND_BOUND = _FIRST.offset(bindparam("limit"))
SWEEP = delete(_token).where(_EXPIRED)
_ROWS = _FIRST.limit(bindparam("limit")).with_for_update(skip_locked=True)
SWEEP_ROWS = delete(_token).where(_token.c.key.in_(_ROWS))
