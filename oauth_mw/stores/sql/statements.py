"""The statements of the SQL store, in SQLAlchemy Core."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
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
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ...credentials import DIGEST_BYTES, MAX_SECRETS, SALT_BYTES, VERIFIERS_BYTES
from ...model import CLIENTS_PER_PAGE
from . import schema
from .rows import CLIENT_COLUMNS, SECRET_COLUMNS, TOKEN_COLUMNS

_store, _client, _secret, _token, _log = schema.store, schema.client, schema.secret, schema.token, schema.log
_once = schema.remembered

# Said outright: SQLAlchemy would make a parameter of it.
_NONE: ColumnElement[int] = literal_column("0")

_CLIENTS = (
    select(*CLIENT_COLUMNS, *SECRET_COLUMNS, _client.c.ended)
    .select_from(_client.outerjoin(_secret, _secret.c.client == _client.c.number))
    .where(_client.c.deleted.is_(False))
)
_PAGE = (
    select(_client.c.client_id)
    .where(_client.c.client_id > bindparam("after"), _client.c.deleted.is_(False))
    .order_by(_client.c.client_id)
    .limit(CLIENTS_PER_PAGE)
)
CLIENTS_AFTER = _CLIENTS.where(_client.c.client_id.in_(_PAGE)).order_by(_client.c.client_id, _secret.c.created_at)
FIND_CLIENT = _CLIENTS.where(_client.c.client_id == bindparam("client_id"))
_NUMBER = select(_client.c.number).where(_client.c.client_id == bindparam("client_id")).scalar_subquery()
# The size of a result shows in the time of an answer. So there are always as many verifiers as a client may have
# secrets, blank ones at the end: where bytes can be joined, in one row. SQLite has a row for each, and one more, which
# is blank unless the client has too many; it gives the parts of a union in their order.
_OF_CLIENT = _secret.c.client == _NUMBER
_joined = func.string_agg(_secret.c.salt.concat(_secret.c.digest), literal_column("''::bytea"))
_here = select(func.coalesce(_joined, literal_column("''::bytea")).label("verifiers")).where(_OF_CLIENT).subquery().c
_BLANKS = literal_column(f"decode(repeat('00', {VERIFIERS_BYTES}), 'hex')", LargeBinary)
VERIFIERS_IN_ONE_ROW = select(
    _here.verifiers.concat(func.substr(_BLANKS, func.length(_here.verifiers) + literal_column("1")))
)
_SALT = literal_column(f"x'{'00' * SALT_BYTES}'", LargeBinary)
_DIGEST = literal_column(f"x'{'00' * DIGEST_BYTES}'", LargeBinary)
_MOST: ColumnElement[int] = literal_column(str(MAX_SECRETS + 1))
VERIFIERS_IN_ROWS: CompoundSelect[Any] = (
    union_all(select(_secret.c.salt, _secret.c.digest).where(_OF_CLIENT), *[select(_SALT, _DIGEST)] * (MAX_SECRETS + 1))
    .limit(_MOST)
    .offset(_NONE)
)
ADD_TOKEN = insert(_token).values(
    key=bindparam("key"),
    client=_NUMBER,
    scope=bindparam("scope"),
    issued_at=bindparam("issued_at"),
    position=bindparam("position"),
    revoked=bindparam("revoked"),
    attributes=bindparam("attributes"),
    audience=bindparam("audience"),
)
FIND_TOKEN = (
    select(*TOKEN_COLUMNS, _token.c.revoked, _token.c.position < _client.c.ended)
    .select_from(_token.join(_client, _client.c.number == _token.c.client))
    .where(_token.c.key == bindparam("key"))
)

# The words are the same in SQLite.
_REMEMBER = upsert(_once).values(key=bindparam("key"), until=bindparam("until"))
REMEMBER_ONCE = _REMEMBER.on_conflict_do_update(
    index_elements=["key"], set_={"until": _REMEMBER.excluded.until}, where=_once.c.until < bindparam("now")
)
_OVER = select(_once.c.key).where(_once.c.until < bindparam("now")).order_by(_once.c.until).limit(literal_column("10"))
# With each that comes a few go, so that there are never many that are over.
FORGET = delete(_once).where(_once.c.key.in_(_OVER.offset(_NONE).with_for_update(skip_locked=True)))

_EVENT = (_log.c.position, _log.c.client_id, _log.c.key, _log.c.alone)
# In the order of the index that has these alone.
_ALONE = (_log.c.client_id, _log.c.key)
REVOKED_TOKENS = (
    select(_log.c.position, *_ALONE)
    .where(_log.c.alone, tuple_(*_ALONE) > tuple_(bindparam("client_id"), bindparam("key")))
    .order_by(*_ALONE)
    .limit(bindparam("limit"))
    .offset(_NONE)
)
REVOKED_CLIENTS = (
    select(_client.c.ended, _client.c.client_id, _client.c.number)
    .where(_client.c.ended > _NONE, _client.c.number > bindparam("number"))
    .order_by(_client.c.number)
    .limit(bindparam("limit"))
    .offset(_NONE)
)


@cache
def look(store_id: ColumnElement[str]) -> Select[Any]:
    """One statement, so that where the log stands and what it holds are of the same moment.

    :param store_id: by what followers know the store.
    """
    later = select(*_EVENT).where(_log.c.position >= bindparam("after")).order_by(_log.c.position)
    # Limited by itself, it is read along the key, whatever the engine believes that there is.
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
