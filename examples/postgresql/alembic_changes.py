"""Print what Alembic proposes for a database that an app shares with oauth_mw: all of it, and without our tables.

    python examples/postgresql/alembic_changes.py

It needs Alembic. The environment variable STORE names the database; it is an SQLite file of this run alone by default.
"""

from __future__ import annotations

import os
import tempfile

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, NullPool, Table, create_engine

from oauth_mw import open_store

apps = Table("orders", MetaData(), Column("id", Integer, primary_key=True))


def include_name(name, type_, parent_names):
    return type_ != "table" or not name.startswith("oauth_mw_")


def proposed(connection, **options):
    context = MigrationContext.configure(connection, opts=options)
    return sorted({f"{change[0]} {change[1].name}" for change in compare_metadata(context, apps.metadata)})


def main(url):
    open_store(url, create=True).close()
    with create_engine(url, poolclass=NullPool).connect() as connection:
        print("of all tables:", *proposed(connection), sep="\n  ")
        print("with include_name:", *proposed(connection, include_name=include_name), sep="\n  ")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(os.environ.get("STORE", f"sqlite:///{folder}/oauth.db"))
