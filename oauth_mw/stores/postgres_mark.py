"""A mark that is lost with the tokens that were issued just before a crash or a fail-over.

No commit waits for an issued token, so PostgreSQL may come back without it, while workers know it
and nobody can revoke it any more. The mark lies in a table that PostgreSQL empties whenever it has
to recover. It is part of what followers know the store by: with another mark it is another store.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, literal_column, select

from . import schema

_mark = Table(
    "oauth_mw_mark",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
    prefixes=["UNLOGGED"],
)

# NULL without a mark.
MARKED_ID = schema.store.c.store_id + literal_column("'/'") + select(_mark.c.mark).scalar_subquery()

_SET = "INSERT INTO oauth_mw_mark (one, mark) VALUES (1, '{}') ON CONFLICT DO NOTHING"


def make_mark(connection: Connection) -> None:
    """The table, where it is missing."""
    if not inspect(connection).has_table(_mark.name):
        _mark.create(connection)


def new_mark() -> str:
    """The statement that sets a mark, unless somebody else did."""
    return _SET.format(secrets.token_hex(8))
