"""Rows that the old code never wrote: the upgrade says where they are, and changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers.postgres_raw import Raw
from oauth_mw import AdminError, ConfigError, open_store
from oauth_mw.errors import StoreOutdated
from oauth_mw.stores import upgrade_store

ON_BOTH = ("sqlite", "postgresql")
SIX = """INSERT INTO oauth_mw_secret SELECT 'sixth', client, salt, digest, label, created_at, not_after, weak
FROM oauth_mw_secret WHERE label = 'Büro'"""
DAMAGES = {
    "attributes": ("UPDATE oauth_mw_client SET attributes = '{' WHERE client_id = 'full'", "client", "full"),
    "format": ("UPDATE oauth_mw_client SET token_format = 'odd' WHERE client_id = 'full'", "client", "full"),
    "lifetime": ("UPDATE oauth_mw_client SET lifetime = 0 WHERE client_id = 'full'", "client", "full"),
    "time": ("UPDATE oauth_mw_client SET created_at = -1 WHERE client_id = 'plain'", "client", "plain"),
    "salt": ("UPDATE oauth_mw_secret SET salt = digest WHERE label = 'Büro'", "client", "five"),
    "secret's time": ("UPDATE oauth_mw_secret SET not_after = -1 WHERE label = 'Büro'", "secret", "five"),
    "token": ("UPDATE oauth_mw_token SET attributes = '[]' WHERE attributes IS NOT NULL", "token", "full"),
    "key": ("UPDATE oauth_mw_signing_key SET needed_until = -1", "signing_key", ""),
}
ON_SQLITE = {
    "not UTF-8": ("UPDATE oauth_mw_client SET name = CAST(x'ff' AS TEXT) WHERE client_id = 'full'", "client", "full"),
    "bytes": ("UPDATE oauth_mw_client SET name = x'41' WHERE client_id = 'full'", "client", "full"),
    "a token's bytes": ("UPDATE oauth_mw_token SET audience = x'41' WHERE attributes IS NOT NULL", "token", "full"),
    "flag": ("UPDATE oauth_mw_client SET enabled = 2 WHERE client_id = 'full'", "client", "full"),
}
CASES = [
    *(pytest.param("sqlite", *damage, id=f"sqlite-{name}") for name, damage in {**DAMAGES, **ON_SQLITE}.items()),
    *(pytest.param("postgresql", *DAMAGES[name], id=f"postgresql-{name}") for name in ("attributes", "token")),
]


def change(url, *statements):
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
    else:
        with Raw(url) as raw:
            for statement in statements:
                raw(statement)


def contents(url):
    """Every row of the old tables."""
    names = ("store", "client", "secret", "token", "log", "signing_key")
    selects = [f"SELECT * FROM oauth_mw_{name}" for name in names]
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.text_factory = bytes
            return [sorted(map(repr, connection.execute(select))) for select in selects]
    with Raw(url) as raw:
        return [sorted(map(repr, raw(select))) for select in selects]


@pytest.mark.parametrize(("store_kind", "damage", "table", "client_id"), CASES)
def test_a_garbled_row_is_named_and_nothing_changed(old_url, kept, damage, table, client_id):
    change(old_url, damage)
    before = contents(old_url)

    whose = f" of the client '{client_id}'" if client_id else ""
    with pytest.raises(AdminError, match=f"^a row{whose} in oauth_mw_{table} is garbled: nothing was changed$"):
        upgrade_store(old_url)

    assert contents(old_url) == before
    assert kept() == []
    with pytest.raises(StoreOutdated):
        open_store(old_url)


@pytest.mark.parametrize("store_kind", ON_BOTH)
def test_more_secrets_than_a_client_may_have_are_refused(old_url):
    change(old_url, SIX)
    before = contents(old_url)

    with pytest.raises(AdminError, match="the client 'five' has 6 secrets, and 5 are the most: nothing was changed"):
        upgrade_store(old_url)

    assert contents(old_url) == before


@pytest.mark.parametrize("store_kind", ON_BOTH)
@pytest.mark.parametrize(("version", "way_out"), [(1, "cannot read it$"), (9, "upgrade oauth_mw$")])
def test_other_schemas_are_refused(old_url, version, way_out):
    change(old_url, f"UPDATE oauth_mw_store SET version = {version}")
    before = contents(old_url)

    with pytest.raises(ConfigError, match=f"has schema version {version}, this oauth_mw knows 3: .*{way_out}"):
        upgrade_store(old_url)

    assert contents(old_url) == before
