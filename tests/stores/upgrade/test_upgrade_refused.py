"""Rows that the old code never wrote: the upgrade says where they are, and changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers.postgres_raw import Raw
from oauth_mw import AdminError, ConfigError, open_store
from oauth_mw.errors import StoreOutdated
from oauth_mw.stores import upgrade_store

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.slow)
TABLES = ("store", "client", "secret", "token", "log", "signing_key")
SIX = """INSERT INTO oauth_mw_secret SELECT 'sixth', client, salt, digest, label, created_at, not_after, weak
FROM oauth_mw_secret WHERE label = 'Büro'"""


def garbled(table, client_id=""):
    whose = f" of the client '{client_id}'" if client_id else ""
    return f"a row{whose} in oauth_mw_{table} is garbled: nothing was changed"


def of_client(assignment, client_id="full"):
    return f"UPDATE oauth_mw_client SET {assignment} WHERE client_id = '{client_id}'", garbled("client", client_id)


DAMAGES = {
    "attributes": of_client("attributes = '{'"),
    "format": of_client("token_format = 'odd'"),
    "lifetime": of_client("lifetime = 0"),
    "time": of_client("created_at = -1", "plain"),
    "not UTF-8": of_client("name = CAST(x'ff' AS TEXT)"),
    "bytes": of_client("name = x'41'"),
    "flag": of_client("enabled = 2"),
    "salt": ("UPDATE oauth_mw_secret SET salt = digest WHERE label = 'Büro'", garbled("client", "five")),
    "secret's time": ("UPDATE oauth_mw_secret SET not_after = -1 WHERE label = 'Büro'", garbled("secret", "five")),
    "six secrets": (SIX, "the client 'five' has 6 secrets, and 5 are the most: nothing was changed; revoke some by .*"),
    "token": (
        "UPDATE oauth_mw_token SET attributes = '[]' WHERE attributes IS NOT NULL",
        garbled("token", "full"),
    ),
    "a token's bytes": (
        "UPDATE oauth_mw_token SET audience = x'41' WHERE attributes IS NOT NULL",
        garbled("token", "full"),
    ),
    "key": ("UPDATE oauth_mw_signing_key SET needed_until = -1", garbled("signing_key")),
}
CASES = [pytest.param("sqlite", *damage, id=name) for name, damage in DAMAGES.items()] + [
    pytest.param("postgresql", *DAMAGES[name], id=f"{name} on PostgreSQL", marks=pytest.mark.slow)
    for name in ("token", "six secrets")
]


def execute(url, statement):
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.text_factory = bytes
            return connection.execute(statement).fetchall()
    with Raw(url) as raw:
        return raw(statement)


def refused(url, damage, error, message):
    """Damage a store and check that its upgrade is refused and changes no row."""
    execute(url, damage)
    before = [sorted(map(repr, execute(url, f"SELECT * FROM oauth_mw_{name}"))) for name in TABLES]

    with pytest.raises(error, match=message):
        upgrade_store(url)

    assert [sorted(map(repr, execute(url, f"SELECT * FROM oauth_mw_{name}"))) for name in TABLES] == before


@pytest.mark.parametrize(("store_kind", "damage", "message"), CASES)
def test_a_garbled_row_is_named_and_nothing_changed(old_url, kept, damage, message):
    refused(old_url, damage, AdminError, f"^{message}$")

    assert kept() == []
    with pytest.raises(StoreOutdated):
        open_store(old_url)


@pytest.mark.parametrize("store_kind", ["sqlite", POSTGRESQL])
@pytest.mark.parametrize(("version", "way_out"), [(1, "cannot read it$"), (9, "upgrade oauth_mw$")])
def test_other_schemas_are_refused(old_url, version, way_out):
    message = f"has schema version {version}, this oauth_mw knows 4: .*{way_out}"

    refused(old_url, f"UPDATE oauth_mw_store SET version = {version}", ConfigError, message)
