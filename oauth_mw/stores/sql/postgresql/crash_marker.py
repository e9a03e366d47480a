"""A mark that is lost with the tokens that were issued just before a crash or a fail-over.

No commit waits for an issued token, so PostgreSQL may come back without it, while workers know it
and nobody can revoke it any more. The mark lies in a table that PostgreSQL empties whenever it has
to recover. It is part of what followers know the store by: with another mark it is another store.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Column, Integer, MetaData, String, Table, literal_column, select

from .. import schema

mark = Table(
    "oauth_mw_mark",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
    prefixes=["UNLOGGED"],
)

# NULL without a mark.
MARKED_ID = schema.store.c.store_id + literal_column("'/'") + select(mark.c.mark).scalar_subquery()

_SET = f"INSERT INTO {schema.PLACE}.oauth_mw_mark (one, mark) VALUES (1, '%s') ON CONFLICT DO NOTHING"


def new_mark() -> str:
    """The statement that sets a mark, unless somebody else did."""
    return _SET % secrets.token_hex(8)
