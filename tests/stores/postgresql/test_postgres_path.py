"""Which schema of the search path has the PostgreSQL store."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import opened, registered
from helpers.life import live
from oauth_mw import ConfigError, StoreUnavailable, admin, open_store


@pytest.fixture
def before(site):
    """Another schema, which precedes the store's in the path."""
    name = f"{site.schema}_before"
    site.raw(f"CREATE SCHEMA {name}")
    site.raw(f"GRANT USAGE, CREATE ON SCHEMA {name} TO service, intruder")
    yield name
    site.raw(f"DROP SCHEMA {name} CASCADE")


FORGED = "CREATE TABLE {}.oauth_mw_store (one int); GRANT ALL ON {}.oauth_mw_store TO PUBLIC"


def test_the_first_of_two_stores_of_ours_is_the_one(site, before):
    for schema in (site.schema, before):
        with closing(open_store(site.path(schema), create=True)) as store:
            store.add_client(registered(f"in {schema}"))

    with closing(open_store(site.path(before, site.schema))) as store:
        assert [client.client_id for client in store.clients()] == [f"in {before}"]


def test_a_store_of_another_role_before_ours_is_passed_over(site, before):
    with opened(site.url):
        pass
    site.plants(FORGED.replace("{}", before))

    with closing(open_store(site.path(before, site.schema), create=True)) as store:
        assert store.find_client("tester")


def test_of_two_stores_of_other_roles_one_must_be_named(site, before):
    open_store(site.url, create=True).close()
    site.raw(f"GRANT ALL ON ALL TABLES IN SCHEMA {site.schema} TO intruder")
    site.raw("CREATE ROLE third LOGIN")
    try:
        site.raw(f"GRANT USAGE ON SCHEMA {site.schema}, {before} TO third")
        site.plants(FORGED.replace("{}", before))

        with pytest.raises(ConfigError, match=f"{before}, {site.schema} of the search_path hold a store each"):
            open_store(site.path(before, site.schema).replace("//service@", "//third@"))
    finally:
        site.raw("DROP OWNED BY third")
        site.raw("DROP ROLE third")


@pytest.mark.parametrize("name", [pytest.param("We\"ird %s é'-- Schema", marks=pytest.mark.slow), "oauth_mw schema"])
def test_a_schema_of_any_name_holds_a_store(site, name):
    quoted = '"' + name.replace('"', '""') + '"'
    site.raw(f"CREATE SCHEMA {quoted} AUTHORIZATION service")
    site.raw(f"ALTER ROLE service SET search_path TO {quoted}")
    url = site.url.partition("?")[0]
    try:
        with closing(open_store(url, create=True)) as store:
            if "%" in name:
                live(store)
            assert admin.stats(store).size > 0
        with closing(open_store(url)) as store:
            assert store.add_client(registered())
        assert site.raw("SELECT count(*) FROM pg_tables WHERE schemaname = %s", name)[0] > 6
    finally:
        site.raw(f"DROP SCHEMA {quoted} CASCADE")


def test_a_schema_that_was_moved_away_is_503_until_it_is_back(site):
    with opened(site.url) as store:
        site.raw(f"ALTER SCHEMA {site.schema} RENAME TO {site.schema}_aside")
        site.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'service'")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.find_client("tester")
        site.raw(f"ALTER SCHEMA {site.schema}_aside RENAME TO {site.schema}")

        assert store.find_client("tester")
