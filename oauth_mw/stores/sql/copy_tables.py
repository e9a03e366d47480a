"""What is written into a store on a SQL engine that is a copy.

It has two tables more: which store it is a copy of and where its log stood after the last step,
the ids of the signing keys that came from there, and a digest of each client as it was written. What differs from
them was done by others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from ...model import ClientRecord, KeyRecord, LogRecord, TokenRecord
from ..copying import digest, gone
from ..decoding import number, read, text
from . import schema
from .keys import add_record
from .log import OWN_END
from .rows import (
    CLIENT_COLUMNS,
    SECRET_COLUMNS,
    attributes_text,
    audience_text,
    client_from_rows,
    client_values,
    secret_values,
)

_client, _secret, _token, _log, _key = schema.client, schema.secret, schema.token, schema.log, schema.signing_key

metadata = MetaData()
origin = Table(
    "oauth_mw_origin",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("store_id", String(32), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("kids", Text, nullable=False),
)
copied = Table(
    "oauth_mw_copied",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
)


_ADDED = ("key", "scope", "issued_at", "position", "revoked", "attributes", "audience")
ADD_TOKEN = insert(_token).from_select(
    [*_ADDED, "client"],
    select(*(bindparam(name, type_=_token.c[name].type) for name in _ADDED), _client.c.number).where(
        _client.c.client_id == bindparam("client_id"),
        ~exists().where(_token.c.key == bindparam("same_key", type_=_token.c.key.type)),
    ),
)
_REVOKE = update(_token).where(_token.c.key == bindparam("named")).values(revoked=True)
_END = (
    update(_client)
    .where(_client.c.client_id == bindparam("named"), _client.c.ended < bindparam("by"))
    .values(ended=bindparam("by"))
)


def is_empty(connection: Connection) -> bool:
    return connection.execute(select(_client.c.number).limit(1)).first() is None


def records(connection: Connection, ids: Select[str], **values: object) -> list[ClientRecord]:
    """The clients with these ids, deleted ones too."""
    rows: Iterable[Any] = connection.execute(
        select(*CLIENT_COLUMNS, *SECRET_COLUMNS, _client.c.ended, _client.c.deleted)
        .select_from(_client.outerjoin(_secret, _secret.c.client == _client.c.number))
        .where(_client.c.client_id.in_(ids))
        .order_by(_client.c.client_id, _secret.c.created_at, _secret.c.secret_id),
        values,
    )
    return [_record(list(group)) for _, group in groupby(rows, key=lambda row: str(row[0]))]


def _record(rows: Sequence[Any]) -> ClientRecord:
    *_, ended, deleted = rows[0]
    client = None if deleted else client_from_rows([row[:-1] for row in rows])
    if client is not None:
        return ClientRecord(client, read(OWN_END, number, ended))
    return gone(read(OWN_END, text, rows[0][0]), read(OWN_END, number, ended))


def write_clients(connection: Connection, known: Mapping[str, int], records: Sequence[ClientRecord]) -> None:
    """
    :param known: those of them that are here, with the positions of their ends, which only grow.
    """
    rows = [
        {
            **client_values(client),
            "client_id": client.client_id,
            "created_at": client.created_at,
            "ended": max(ended, known.get(client.client_id, 0)),
            "deleted": deleted,
        }
        for client, ended, deleted in records
    ]
    ids = [record.client.client_id for record in records]
    new = [row for row in rows if row["client_id"] not in known]
    changed = [{**row, "named": row["client_id"]} for row in rows if row["client_id"] in known]
    numbers = select(_client.c.client_id, _client.c.number).where(_client.c.client_id.in_(ids))
    if changed:
        connection.execute(update(_client).where(_client.c.client_id == bindparam("named")), changed)
        connection.execute(
            delete(_secret).where(_secret.c.client.in_([number for _, number in connection.execute(numbers)]))
        )
        connection.execute(delete(copied).where(copied.c.client_id.in_(ids)))
    if new:
        connection.execute(insert(_client), new)
    number = {client_id: number for client_id, number in connection.execute(numbers)}
    secrets = [
        {**secret_values(secret), "client": number[client.client_id]}
        for client, _, _ in records
        for secret in client.secrets
    ]
    if secrets:
        connection.execute(insert(_secret), secrets)
    connection.execute(
        insert(copied), [{"client_id": record.client.client_id, "digest": digest(record)} for record in records]
    )


def append(connection: Connection, events: Sequence[LogRecord]) -> None:
    """Put events into the log, and do to clients and tokens what they tell."""
    if events:
        connection.execute(insert(_log), [event._asdict() for event in events])
    tokens = [{"named": event.key} for event in events if event.key is not None]
    clients = [{"named": event.client_id, "by": event.position} for event in events if event.key is None]
    if tokens:
        connection.execute(_REVOKE, tokens)
    if clients:
        connection.execute(_END, clients)


def write_keys(connection: Connection, records: Sequence[KeyRecord], add: str) -> int:
    """Make the signing keys that came from the source what they are there; how many were not here.

    :param add: the statement that adds one, compiled.
    """
    there = {record.kid: record for record in records}
    came = str(connection.execute(select(origin.c.kids)).scalar_one()).split()
    connection.execute(delete(_key).where(_key.c.kid.in_([kid for kid in came if kid not in there])))
    here = {kid: until for kid, until in connection.execute(select(_key.c.kid, _key.c.needed_until))}
    for record in records:
        if record.kid not in here:
            add_record(connection, add, record)
        elif here[record.kid] < record.needed_until:
            connection.execute(update(_key).where(_key.c.kid == record.kid).values(needed_until=record.needed_until))
    connection.execute(update(origin).values(kids=" ".join(there)))
    return len(there.keys() - here.keys())


def token_values(key: bytes, token: TokenRecord) -> tuple[object, ...]:
    """In the order of the parameters of :data:`ADD_TOKEN`."""
    attributes = attributes_text(token.attributes, token.public_attributes)
    audience = audience_text(token.audience)
    return (
        *(key, token.scope, token.issued_at, token.position, token.revoked, attributes, audience),
        *(token.client_id, key),
    )
