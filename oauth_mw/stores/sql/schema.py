"""The tables, and what a version of them means."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

from ..records import BLANK_VERIFIERS

VERSION = 4

# Stands in the text of statements for the schema of a PostgreSQL store, which is found at the first contact.
PLACE = '"oauth_mw schema"'

metadata = MetaData()

# One row: the schema's version, the store's own id, the last position of the revocation log, and the highest position
# that was swept out of it. ``origin`` is the id of the store that this one is an unchanged copy of.
store = Table(
    "oauth_mw_store",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("store_id", String(32), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("log_floor", BigInteger, key="swept_until", nullable=False),
    Column("origin", String(32)),
)

# ``record`` is the JSON text of a client with its secrets, ``verifiers`` what presented secrets are compared with and a
# digest of the record, which workers keep parsed: change neither without the other, see oauth_mw.stores.records. A
# deleted client keeps its row, so that its id is never used again; its record is empty, its verifiers are blank. Last
# come the columns that the check of a token does not read.
clients = Table(
    "oauth_mw_clients",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("client_id", String(255), nullable=False, unique=True),
    Column("deleted", Boolean, nullable=False),
    Column("revoked_before", BigInteger, nullable=False),
    Column("verifiers", LargeBinary(len(BLANK_VERIFIERS)), nullable=False),
    Column("record", Text, nullable=False),
)

# The key begins with the expiry, so that new rows lie side by side and a sweep is one range. ``client`` is its number;
# ``extra`` what few tokens have: see oauth_mw.stores.records.
tokens = Table(
    "oauth_mw_tokens",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("client", Integer, nullable=False),
    Column("scope", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("extra", Text),
    sqlite_with_rowid=False,
)

revocations = Table(
    "oauth_mw_revocations",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("client_id", String(255), nullable=False),
    Column("key", LargeBinary(32)),
    Column("keep_until", BigInteger, nullable=False),
    Column("log_only", Boolean, nullable=False),
    Index("oauth_mw_revocations_keep_until", "keep_until"),
)
# SQLite uses it only for queries with literally the same condition. PostgreSQL's engine adds its own.
log_only = Index(
    "oauth_mw_revocations_log_only",
    revocations.c.client_id,
    revocations.c.key,
    sqlite_where=text("log_only = 1"),
)

# One row: the JSON text of all signing keys.
key_set = Table(
    "oauth_mw_key_set",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
)

# Ids that may be used once, until they are over.
remembered = Table(
    "oauth_mw_remembered",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("oauth_mw_remembered_until", "until"),
    sqlite_with_rowid=False,
)

# What is counted in windows of time; ``until`` is the end of the window.
counters = Table(
    "oauth_mw_counters",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("value", BigInteger, nullable=False),
    Index("oauth_mw_counters_until", "until"),
    sqlite_with_rowid=False,
)

# When each secret of a client was last used, more or less; an empty id stands for the client.
last_uses = Table(
    "oauth_mw_last_uses",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("secret_id", String(255), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Only in PostgreSQL, which empties it whenever it recovers: see oauth_mw.stores.sql.postgresql.engine.
crash_marker = Table(
    "oauth_mw_crash_marker",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("mark", String(32), nullable=False),
    prefixes=["UNLOGGED"],
)
