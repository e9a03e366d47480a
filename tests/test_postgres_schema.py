"""A role that may create in the schema of a PostgreSQL store does not get its code run, nor its tables used."""

from __future__ import annotations

from contextlib import closing

import pytest
from life import live
from places import own_postgres_places, why_no_wheel
from postgres_raw import Raw
from stored import NOW, issued, registered

from oauth_mw import ConfigError, StoreUnavailable, admin, open_store

pytestmark = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))

TYPES = "varchar text bpchar name bytea int4 int8 bool oid timestamptz numeric".split()
OPERATORS = "= <> < > <= >= + - * || ~~".split()
# Functions and types of PostgreSQL that statements name, or that operators and casts come down to.
FUNCTIONS = """pg_backend_pid current_setting current_schemas set_config clock_timestamp now extract count sum max min
    pg_advisory_xact_lock pg_total_relation_size aclexplode acldefault has_schema_privilege pg_get_userbyid version
    current_schema current_database lower upper texteq varchar text int8 numeric timestamptz date_part int4 bool
    pg_table_is_visible format_type to_regclass nextval length""".split()

PLANT = """
CREATE SEQUENCE trapped;
CREATE FUNCTION trap() RETURNS void LANGUAGE sql AS $f$ SELECT pg_catalog.nextval('{schema}.trapped') $f$;
GRANT ALL ON SEQUENCE trapped TO PUBLIC;
DO $do$
DECLARE a text; b text; o text; f record;
BEGIN
  FOREACH a IN ARRAY '{types}'::text[] LOOP
    BEGIN
      EXECUTE format('CREATE DOMAIN %I AS pg_catalog.%I CHECK ({schema}.trap() IS NOT NULL)', a, a);
    EXCEPTION WHEN duplicate_object THEN NULL; END;
    FOREACH b IN ARRAY '{types}'::text[] LOOP
      EXECUTE format('CREATE FUNCTION op(pg_catalog.%1$I, pg_catalog.%2$I) RETURNS pg_catalog.bool LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN true; END $f$', a, b);
      FOREACH o IN ARRAY '{operators}'::text[] LOOP
        EXECUTE format('CREATE OPERATOR {schema}.%s (LEFTARG = pg_catalog.%I, RIGHTARG = pg_catalog.%I, FUNCTION = op)',
          o, a, b);
      END LOOP;
    END LOOP;
  END LOOP;
  FOR f IN SELECT proname, pg_get_function_identity_arguments(oid) AS arguments, proretset,
      prorettype::regtype AS answer FROM pg_catalog.pg_proc
      WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY('{functions}'::text[]) LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION %I(%s) RETURNS %s %s LANGUAGE plpgsql AS
        $f$ BEGIN PERFORM {schema}.trap(); RETURN; END $f$', f.proname, replace(f.arguments, 'VARIADIC ', ''),
        CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, f.answer);
    EXCEPTION WHEN OTHERS THEN
      BEGIN
        EXECUTE format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql AS
          $f$ BEGIN PERFORM {schema}.trap(); RETURN NULL; END $f$', f.proname, f.arguments, f.answer);
      EXCEPTION WHEN OTHERS THEN NULL; END;
    END;
  END LOOP;
END $do$
"""
# Below the least of what is planted on the servers that were tried.
PLANTED = len(TYPES) ** 2 + 40


@pytest.fixture(scope="module")
def postgres():
    with own_postgres_places() as places:
        yield places


class Site:
    """A schema in which the store's role and an intruder may create, as all could in ``public`` before PostgreSQL 15.

    :param url: of the store as the schema's owner.
    """

    def __init__(self, url, raw):
        self.owners = url
        self.raw = raw
        (self.schema,) = raw("SELECT current_schema()")
        self.url, self.intruders = (url.replace("//tests@", f"//{role}@") for role in ("service", "intruder"))

    def plants(self, statement):
        with Raw(self.intruders) as raw:
            raw(statement)

    def plants_all(self):
        lists = {"types": TYPES, "operators": OPERATORS, "functions": FUNCTIONS}
        filled = PLANT.replace("{schema}", self.schema)
        for name, values in lists.items():
            filled = filled.replace("{" + name + "}", "{" + ",".join(values) + "}")
        self.plants(filled)
        count = "SELECT count(*) FROM pg_proc WHERE pronamespace = %s::regnamespace"
        assert self.raw(count, self.schema)[0] > PLANTED

    def path(self, *schemas):
        """The store's URL with another search path."""
        return self.url.replace(f"search_path%3D{self.schema}", "search_path%3D" + "%2C".join(schemas))

    def trapped(self):
        """Whether code of the intruder's ran."""
        return self.raw(f"SELECT is_called FROM {self.schema}.trapped") == [True]


@pytest.fixture
def site(postgres_url):
    with Raw(postgres_url) as raw:
        (schema,) = raw("SELECT current_schema()")
        roles = "service", "intruder"
        for role in roles:
            raw(f"CREATE ROLE {role} LOGIN")
            raw(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")
        yield Site(postgres_url, raw)
        for role in roles:
            raw(f"DROP OWNED BY {role} CASCADE")
            raw(f"DROP ROLE {role}")


EQUAL = """CREATE FUNCTION same(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same)"""


def test_an_operator_that_fits_better_than_postgresqls_own_matches_nothing(site):
    with closing(open_store(site.url, create=True)) as store:
        store.add_client(registered())
        store.add_client(registered("other"))
        site.plants(EQUAL)

        assert store.find_client("nobody") is None
        assert store.find_client("tester").client_id == "tester"
    with Raw(site.url) as raw:  # a session as any other: there it matches
        assert len(raw("SELECT client_id FROM oauth_mw_client WHERE client_id = 'nobody'::varchar")) == 2

    with closing(open_store(site.url)) as store:
        assert store.find_client("nobody") is None


PATHS = [
    pytest.param([], id="alone"),
    pytest.param(["pg_catalog"], id="first"),
    pytest.param(["pg_catalog", "pg_temp"], id="before all", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("after", PATHS)
@pytest.mark.parametrize("made", [True, False], ids=["the store is there", "the store is made"])
def test_in_the_whole_life_of_a_store_nothing_runs_that_was_placed_in_its_schema(site, after, made):
    url = site.path(site.schema, *after)
    if made:
        open_store(url, create=True).close()
    site.plants_all()

    with closing(open_store(url, create=True)) as store, closing(open_store("memory://")) as other:
        other.add_client(registered())
        admin.copy_store(other, store)
        admin.copy_store(other, store)
        live(store)

    assert not site.trapped()


@pytest.mark.parametrize("name", ["oauth_mw_mark", "oauth_mw_origin", "oauth_mw_copied"])
def test_a_view_in_the_place_of_a_table_of_ours_is_refused_and_not_read(site, name):
    open_store(site.url, create=True).close()
    site.raw("DROP TABLE oauth_mw_mark")
    site.plants("CREATE SEQUENCE trapped; GRANT ALL ON SEQUENCE trapped TO PUBLIC")
    called = f"nextval('{site.schema}.trapped')"
    columns = f"1 AS one, {called}::text AS mark, {called}::text AS store_id, {called} AS position, '' AS kids"
    site.plants(f"CREATE VIEW {name} AS SELECT {columns}; GRANT ALL ON {name} TO PUBLIC")

    says = "already exists" if name == "oauth_mw_copied" else "is no table of the store, .* made by the role intruder"
    with pytest.raises((ConfigError, StoreUnavailable), match=f"{name}.* {says}"):
        with closing(open_store(site.url, create=True)) as store, closing(open_store("memory://")) as other:
            admin.copy_store(other, store)
            admin.copy_store(other, store)

    assert not site.trapped()


def test_a_table_of_another_role_in_the_place_of_one_of_ours_is_refused(site):
    open_store(site.url, create=True).close()
    site.raw("DROP TABLE oauth_mw_mark")
    site.plants("CREATE TABLE oauth_mw_mark (one integer PRIMARY KEY, mark text); GRANT ALL ON oauth_mw_mark TO PUBLIC")

    with pytest.raises(ConfigError, match="made by the role intruder"):
        open_store(site.url)


def test_tables_that_are_there_before_the_store_keep_it_from_being_made(site):
    site.plants("CREATE TABLE oauth_mw_client (number integer, client_id text); GRANT ALL ON oauth_mw_client TO PUBLIC")

    with pytest.raises(ConfigError, match='"oauth_mw_client" already exists'):
        open_store(site.url, create=True)


# Where the store lies


@pytest.fixture
def before(site):
    """Another schema, earlier in the path."""
    name = f"{site.schema}_before"
    site.raw(f"CREATE SCHEMA {name}")
    site.raw(f"GRANT USAGE, CREATE ON SCHEMA {name} TO service, intruder")
    yield name
    site.raw(f"DROP SCHEMA {name} CASCADE")


FORGED = "CREATE TABLE {}.oauth_mw_store (one int); GRANT ALL ON {}.oauth_mw_store TO PUBLIC"


def test_a_store_is_found_in_any_schema_of_the_path(site, before):
    with closing(open_store(site.url, create=True)) as store:
        store.add_client(registered())

    with closing(open_store(site.path(before, site.schema), create=True)) as store:
        assert store.find_client("tester")


def test_the_first_of_two_stores_of_ours_is_the_one(site, before):
    for schema in (site.schema, before):
        with closing(open_store(site.path(schema), create=True)) as store:
            store.add_client(registered(f"in {schema}"))

    with closing(open_store(site.path(before, site.schema))) as store:
        assert [client.client_id for client in store.clients()] == [f"in {before}"]


def test_a_store_of_another_role_before_ours_is_passed_over(site, before):
    open_store(site.url, create=True).close()
    site.plants(FORGED.replace("{}", before))

    with closing(open_store(site.path(before, site.schema))) as store:
        assert store.add_client(registered())


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


ODD = ['We"ird %s Schema', "oauth_mw schema", "select", "é'--"]


@pytest.mark.parametrize("name", ODD)
def test_a_schema_of_any_name_holds_a_store(site, name):
    quoted = '"' + name.replace('"', '""') + '"'
    site.raw(f"CREATE SCHEMA {quoted} AUTHORIZATION service")
    site.raw(f"ALTER ROLE service SET search_path TO {quoted}")
    try:
        with closing(open_store(site.url.partition("?")[0], create=True)) as store:
            live(store)
            assert admin.holdings(store).size > 0
            with closing(open_store("memory://")) as other:
                other.add_client(registered())
                issued(other, expires_at=NOW * 2)
        with closing(open_store(site.url.partition("?")[0])) as store:
            assert store.add_client(registered())
        assert site.raw("SELECT count(*) FROM pg_tables WHERE schemaname = %s", name)[0] > 6
    finally:
        site.raw(f"DROP SCHEMA {quoted} CASCADE")


def test_a_schema_that_was_moved_away_is_503_until_it_is_back(site):
    with closing(open_store(site.url, create=True)) as store:
        store.add_client(registered())
        site.raw(f"ALTER SCHEMA {site.schema} RENAME TO {site.schema}_aside")
        site.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'service'")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.find_client("tester")
        site.raw(f"ALTER SCHEMA {site.schema}_aside RENAME TO {site.schema}")

        assert store.find_client("tester")


# What check says of it


def test_other_roles_that_may_create_in_the_schema_are_a_warning(site):
    with closing(open_store(site.url, create=True)) as store:
        here = [each for each in store.warnings() if "create in the schema" in each]
        site.raw(f"REVOKE CREATE ON SCHEMA {site.schema} FROM intruder")
        after = [each for each in store.warnings() if "create in the schema" in each]
        site.raw(f"GRANT CREATE ON SCHEMA {site.schema} TO PUBLIC")
        of_all = [each for each in store.warnings() if "create in the schema" in each]

    assert here == [f"other roles may create in the schema {site.schema} (intruder): revoke that"]
    assert (after, of_all) == ([], [here[0].replace("intruder", "PUBLIC")])


def test_tables_of_another_role_are_a_warning(site):
    open_store(site.intruders, create=True).close()
    with Raw(site.intruders) as raw:
        raw(f"GRANT ALL ON ALL TABLES IN SCHEMA {site.schema} TO service")

    with closing(open_store(site.url)) as store:
        assert f"the tables in the schema {site.schema} belong to the role intruder" in str(store.warnings())
