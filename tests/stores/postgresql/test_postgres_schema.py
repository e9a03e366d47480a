"""If a role may create in the schema of a PostgreSQL store, its code is not run, and its tables are not used."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import opened, registered
from helpers.life import become_copy, live
from helpers.postgres_raw import Raw
from oauth_mw import ConfigError, StoreUnavailable, admin, open_store
from oauth_mw.stores.sql.schema import crash_marker, metadata

pytestmark = pytest.mark.usefixtures("few_rounds")

EQUAL = """CREATE FUNCTION same(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same)"""


def test_an_operator_that_fits_better_than_postgresqls_own_matches_nothing(site):
    with opened(site.url) as store:
        store.add_client(registered("other"))
        site.plants(EQUAL)

        assert store.find_client("nobody") is None
        assert store.find_client("tester").client_id == "tester"
    with Raw(site.url) as raw:  # in any other session it matches
        assert len(raw("SELECT client_id FROM oauth_mw_clients WHERE client_id = 'nobody'::varchar")) == 2

    with closing(open_store(site.url)) as store:
        assert store.find_client("nobody") is None


@pytest.mark.parametrize(
    ("after", "made"),
    [
        pytest.param([], True, id="alone, the store is there"),
        pytest.param(["pg_catalog"], False, id="first, the store is made", marks=pytest.mark.slow),
        pytest.param(["pg_catalog", "pg_temp"], False, id="before all, the store is made", marks=pytest.mark.slow),
    ],
)
def test_in_the_whole_life_of_a_store_nothing_runs_that_was_placed_in_its_schema(site, after, made):
    url = site.path(site.schema, *after)
    if made:
        open_store(url, create=True).close()
    site.plants_all()

    with closing(open_store(url, create=True)) as store:
        become_copy(store)
        live(store)

    assert not site.trapped()


PLANTED = {
    "a view": ("crash_marker", "VIEW {} AS SELECT 1 AS one, nextval('trapped')::text AS mark"),
    "a table": ("crash_marker", "TABLE {} (one integer PRIMARY KEY, mark text)"),
    "a table of tokens": ("tokens", "TABLE {} (key bytea)"),
}


@pytest.mark.parametrize(("name", "planted"), PLANTED.values(), ids=PLANTED)
def test_what_another_role_placed_where_a_table_of_ours_would_be_is_refused_and_not_read(site, name, planted):
    open_store(site.url, create=True).close()
    table = f"oauth_mw_{name}"
    site.raw(f"DROP TABLE {table}")
    site.plants("CREATE SEQUENCE trapped; GRANT ALL ON SEQUENCE trapped TO PUBLIC")
    site.plants(f"CREATE {planted.format(table)}; GRANT ALL ON {table} TO PUBLIC")

    for create in (True, False):
        with pytest.raises(ConfigError, match=f"{table} is no table of the store, .* made by the role intruder"):
            open_store(site.url, create=create)

    assert not site.trapped()


def test_no_store_is_created_where_its_tables_already_exist(site):
    site.plants(
        "CREATE TABLE oauth_mw_clients (number integer, client_id text); GRANT ALL ON oauth_mw_clients TO PUBLIC"
    )

    with pytest.raises(ConfigError, match='"oauth_mw_clients" already exists'):
        open_store(site.url, create=True)


# Warnings of ``check``


WARNING = (
    "other roles may create in the schema {}, or triggers on the store's tables ({}): revoke CREATE and TRIGGER".format
)


def test_other_roles_that_may_create_in_the_schema_are_a_warning(site):
    with closing(open_store(site.url, create=True)) as store:
        here = [each for each in store.warnings() if "create in the schema" in each]
        site.raw(f"REVOKE CREATE ON SCHEMA {site.schema} FROM intruder")
        after = [each for each in store.warnings() if "create in the schema" in each]
        site.raw(f"GRANT CREATE ON SCHEMA {site.schema} TO PUBLIC")
        site.raw(f"ALTER SCHEMA {site.schema} OWNER TO intruder")
        of_all = [each for each in store.warnings() if "create in the schema" in each]
        site.raw(f"ALTER SCHEMA {site.schema} OWNER TO tests")

    assert here == [WARNING(site.schema, "intruder")]
    assert (after, of_all) == ([], [WARNING(site.schema, "PUBLIC, intruder")])


@pytest.mark.parametrize("table", [*metadata.tables, crash_marker.name])
def test_other_roles_that_may_place_triggers_on_tables_are_a_warning(site, table):
    with closing(open_store(site.url, create=True)) as store:
        site.raw(f"REVOKE CREATE ON SCHEMA {site.schema} FROM intruder")
        site.raw(f"GRANT ALL ON {site.schema}.{table} TO intruder")

        assert WARNING(site.schema, "intruder") in store.warnings()


STRANGE = "the tables in the schema {} belong to the role intruder, which can change them: if it is yours, make it"


@pytest.mark.parametrize("maker", ["service", "intruder"])
def test_the_owner_of_the_database_may_own_the_tables_and_no_other_role(site, maker):
    site.raw("CREATE DATABASE other OWNER service")
    urls = {role: f"postgresql+psycopg://{role}@{site.address}/other" for role in (maker, "tests")}
    try:
        with Raw(urls["tests"]) as raw:
            raw("GRANT CREATE ON SCHEMA public TO intruder")
        open_store(urls[maker], create=True).close()
        if maker == "intruder":
            with pytest.raises(ConfigError, match=STRANGE.format("public")):
                open_store(urls["tests"])
            return
        with closing(open_store(urls["tests"])) as store:
            warnings = [each for each in store.warnings() if "role" in each]
            assert warnings == [WARNING("public", "intruder")]
    finally:
        site.raw("DROP DATABASE other WITH (FORCE)")


def test_temporary_tables_are_not_taken_for_those_of_the_store(site):
    with opened(site.url) as store:
        with store.engine.reading() as link:
            link.driver.execute("CREATE TEMPORARY TABLE oauth_mw_clients (number integer, client_id varchar)")
            link.driver.execute("CREATE TEMPORARY TABLE pg_class (oid oid)")

        assert store.find_client("tester") and admin.stats(store).enabled == 1


def test_a_store_that_another_role_placed_before_the_first_start_is_refused(site):
    open_store(site.intruders, create=True).close()
    site.plants(f"GRANT ALL ON ALL TABLES IN SCHEMA {site.schema} TO PUBLIC")
    site.plants("CREATE TABLE trapped (role text)")
    site.plants("""CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS
        $f$ BEGIN INSERT INTO trapped VALUES (current_user); RETURN NEW; END $f$""")
    site.plants("CREATE TRIGGER trap BEFORE INSERT ON oauth_mw_clients FOR EACH ROW EXECUTE FUNCTION trap()")
    site.plants("GRANT ALL ON trapped TO PUBLIC")

    for create in (True, False):
        with pytest.raises(ConfigError, match=STRANGE.format(site.schema)):
            open_store(site.url, create=create)

    assert site.raw(f"SELECT count(*) FROM {site.schema}.trapped") == [0]


def test_a_store_of_the_owner_of_its_schema_is_taken(site):
    """However that role became the owner."""
    open_store(site.intruders, create=True).close()
    site.plants(f"GRANT ALL ON ALL TABLES IN SCHEMA {site.schema} TO service")
    site.raw(f"ALTER SCHEMA {site.schema} OWNER TO intruder")
    try:
        with closing(open_store(site.url)) as store:
            assert store.find_client("tester") is None
    finally:
        site.raw(f"ALTER SCHEMA {site.schema} OWNER TO tests")


# Where the search_path was not set, and an intruder may create schemas in the database


@pytest.fixture
def unnamed(site):
    """URLs by role, in another database; the search_path is PostgreSQL's default."""
    site.raw("CREATE DATABASE other")
    site.raw("GRANT CREATE ON DATABASE other TO intruder")
    yield {role: f"postgresql+psycopg://{role}@{site.address}/other" for role in ("service", "intruder", "tests")}
    site.raw("DROP DATABASE other WITH (FORCE)")


def run(url, statements):
    with Raw(url) as raw:
        raw(statements)


def of_the_intruder(name):
    return pytest.raises(ConfigError, match=f"the schema {name} belongs to the role intruder, which could change")


@pytest.mark.parametrize("role", ["service", "tests"])
def test_a_store_in_a_schema_that_an_intruder_named_like_the_role_is_refused(unnamed, role):
    run(unnamed["intruder"], f"CREATE SCHEMA {role}; GRANT USAGE, CREATE ON SCHEMA {role} TO PUBLIC")
    open_store(f"{unnamed['intruder']}?options=-csearch_path%3D{role}", create=True).close()
    run(unnamed["intruder"], f"GRANT ALL ON ALL TABLES IN SCHEMA {role} TO PUBLIC")

    for create in (True, False):
        with of_the_intruder(role):
            open_store(unnamed[role], create=create)


@pytest.mark.parametrize(
    ("name", "path"), [("service", "DEFAULT"), ("public", "DEFAULT"), ("service", '"$user", public, pg_catalog')]
)
def test_no_store_is_created_in_a_schema_of_an_intruder(unnamed, name, path):
    run(unnamed["tests"], f"DROP SCHEMA public; ALTER ROLE service SET search_path TO {path}")
    run(unnamed["intruder"], f"CREATE SCHEMA {name}; GRANT USAGE, CREATE ON SCHEMA {name} TO service")

    with of_the_intruder(name):
        open_store(unnamed["service"], create=True)
    with Raw(unnamed["tests"]) as raw:
        assert raw("SELECT count(*) FROM pg_tables WHERE tablename ~ '^oauth_mw_'") == [0]


@pytest.fixture
def admin_role(site):
    site.raw("CREATE ROLE admin LOGIN")
    yield "admin"
    site.raw("DROP ROLE admin")


def test_a_schema_of_an_intruder_does_not_keep_workers_from_their_store(admin_role, unnamed):
    run(unnamed["tests"], f"ALTER SCHEMA public OWNER TO {admin_role}")
    run(unnamed["tests"], 'ALTER ROLE service SET search_path TO "$user", public, pg_catalog')
    admins = unnamed["tests"].replace("tests@", f"{admin_role}@")
    with opened(admins):
        pass
    run(admins, "GRANT ALL ON ALL TABLES IN SCHEMA public TO service")
    run(unnamed["intruder"], "CREATE SCHEMA service; CREATE TABLE service.oauth_mw_store (one int)")
    run(unnamed["intruder"], "GRANT USAGE ON SCHEMA service TO service; GRANT ALL ON service.oauth_mw_store TO service")

    with closing(open_store(unnamed["service"], create=True)) as store:
        assert store.find_client("tester")


@pytest.mark.parametrize("by", ["the URL", "the role", "a membership"])
def test_a_store_may_be_in_a_schema_of_another_role_that_an_operator_named_or_trusts(unnamed, by):
    run(unnamed["intruder"], "CREATE SCHEMA service; GRANT USAGE, CREATE ON SCHEMA service TO service")
    if by == "the role":
        run(unnamed["tests"], "ALTER ROLE service SET search_path TO service, public")
    if by == "a membership":
        run(unnamed["tests"], "GRANT service TO intruder")
    url = unnamed["service"] + ("?options=-csearch_path%3Dservice" if by == "the URL" else "")

    with closing(open_store(url, create=True)) as store:
        assert store.add_client(registered())


def test_a_running_worker_does_not_use_a_store_that_another_role_placed_where_its_own_was(site):
    with closing(open_store(site.url, create=True)) as store:
        page = store.read_log("", -1)
        kept = site.raw(f"SELECT store_id, mark FROM {site.schema}.oauth_mw_store, {site.schema}.oauth_mw_crash_marker")
        tables = site.raw("SELECT tablename FROM pg_tables WHERE schemaname = %s", site.schema)
        site.raw(f"DROP TABLE {', '.join(f'{site.schema}.{table}' for table in tables)}")
        with opened(site.intruders) as placed:
            placed.read_log("", -1)
        site.plants(f"GRANT ALL ON ALL TABLES IN SCHEMA {site.schema} TO service")
        site.plants(f"UPDATE oauth_mw_store SET store_id = '{kept[0][0]}'")
        site.plants(f"UPDATE oauth_mw_crash_marker SET mark = '{kept[0][1]}'")

        for ask in (lambda: store.read_log(page.store_id, page.position), lambda: store.find_client("tester")):
            with pytest.raises(StoreUnavailable, match=STRANGE.format(site.schema)):
                ask()


def test_a_lock_that_any_role_may_hold_does_not_delay_a_worker_of_a_store_that_is_there(site):
    open_store(site.url, create=True).close()
    with Raw(site.intruders) as raw:
        raw(f"SELECT pg_advisory_lock({int.from_bytes(b'oauth_mw')})")

        open_store(site.url, create=True, timeout=1).close()
