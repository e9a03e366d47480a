"""The tables, and what a version of them means."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

VERSION = 2

# Stands in the text of statements for the schema of a PostgreSQL store, which is known once it is reached.
PLACE = '"oauth_mw schema"'

metadata = MetaData()

# One row: the schema's version, the store's own id, where the revocation log stands, and the
# highest position that was swept out of it.
store = Table(
    "oauth_mw_store",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("store_id", String(32), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("log_floor", BigInteger, nullable=False),
)

# A deleted client keeps its row, so that its id is never used again. ``ended`` is the position of
# the last event that ended all of its tokens: those issued at an earlier position are dead.
client = Table(
    "oauth_mw_client",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("client_id", String(255), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("default_scope", Text),
    Column("lifetime", Integer),
    Column("token_format", String(16)),
    Column("audiences", Text),
    Column("default_audience", Text),
    Column("attributes", Text),
    Column("resource_server", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
)

secret = Table(
    "oauth_mw_secret",
    metadata,
    Column("secret_id", String(32), primary_key=True),
    Column("client", Integer, ForeignKey("oauth_mw_client.number"), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("not_after", BigInteger),
    Column("weak", Boolean, nullable=False),
    Index("oauth_mw_secret_client", "client"),
)

# The key begins with the expiry, so that new rows lie side by side and a sweep is one range.
token = Table(
    "oauth_mw_token",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("client", Integer, nullable=False),
    Column("scope", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("revoked", Boolean(create_constraint=False), nullable=False),
    Column("attributes", Text),
    Column("audience", Text),
    sqlite_with_rowid=False,
)

log = Table(
    "oauth_mw_log",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("client_id", String(255), nullable=False),
    Column("key", LargeBinary(32)),
    Column("keep_until", BigInteger, nullable=False),
    Column("alone", Boolean(create_constraint=False), nullable=False),
    Index("oauth_mw_log_keep_until", "keep_until"),
)
# Of each client, the tokens that end by what the log says alone. SQLite uses it only for the very same words.
Index("oauth_mw_log_alone", log.c.client_id, log.c.key, sqlite_where=text("alone = 1"), postgresql_where=log.c.alone)

# Ids that may be used once, until they are over.
remembered = Table(
    "oauth_mw_remembered",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("oauth_mw_remembered_until", "until"),
    sqlite_with_rowid=False,
)

signing_key = Table(
    "oauth_mw_signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("public", Text, nullable=False),
    Column("private", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signs_from", BigInteger, nullable=False),
    Column("needed_until", BigInteger, nullable=False),
)
