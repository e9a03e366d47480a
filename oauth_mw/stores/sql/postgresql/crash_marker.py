"""A marker that is lost together with the tokens that were issued just before a crash or a fail-over.

No commit waits for an issued token, so PostgreSQL may come back without it, while workers have it in their caches and
it cannot be revoked any more. The marker lies in a table that PostgreSQL empties whenever it recovers. It is part of
the store's id for followers, so that with another marker they forget all that they know.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Column, Integer, MetaData, String, Table, literal_column, select

from .. import schema

mark = Table(
    "oauth_mw_crash_marker",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
    prefixes=["UNLOGGED"],
)

# NULL without a marker.
MARKED_ID = schema.store.c.store_id + literal_column("'/'") + select(mark.c.mark).scalar_subquery()

_SET = f"INSERT INTO {schema.PLACE}.{mark.name} (one, mark) VALUES (1, '%s') ON CONFLICT DO NOTHING"


def new_mark() -> str:
    """The statement that sets a marker, unless there is one."""
    return _SET % secrets.token_hex(8)
