"""A role that may create in the schema of a PostgreSQL store, and what it places there, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from helpers.postgres_raw import Raw

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
# Fewer than are planted on any of the servers that were tried.
PLANTED = len(TYPES) ** 2 + 40


class Site:
    """A schema in which the store's role and an intruder may create, as all could in ``public`` before PostgreSQL 15.

    :param url: of the store as the schema's owner.
    """

    def __init__(self, url: str, raw: Raw) -> None:
        self.raw = raw
        self.address = url.partition("@")[2].partition("/")[0]
        (self.schema,) = raw("SELECT current_schema()")
        self.url, self.intruders = (url.replace("//tests@", f"//{role}@") for role in ("service", "intruder"))

    def plants(self, statement: str) -> None:
        with Raw(self.intruders) as raw:
            raw(statement)

    def plants_all(self) -> None:
        lists = {"types": TYPES, "operators": OPERATORS, "functions": FUNCTIONS}
        filled = PLANT.replace("{schema}", self.schema)
        for name, values in lists.items():
            filled = filled.replace("{" + name + "}", "{" + ",".join(values) + "}")
        self.plants(filled)
        count = "SELECT count(*) FROM pg_proc WHERE pronamespace = %s::regnamespace"
        assert self.raw(count, self.schema)[0] > PLANTED

    def path(self, *schemas: str) -> str:
        """The store's URL with another search path."""
        return self.url.replace(f"search_path%3D{self.schema}", "search_path%3D" + "%2C".join(schemas))

    def trapped(self) -> bool:
        """Whether any code of the intruder ran."""
        return self.raw(f"SELECT is_called FROM {self.schema}.trapped") == [True]


@contextmanager
def new_site(url: str) -> Iterator[Site]:
    with Raw(url) as raw:
        (schema,) = raw("SELECT current_schema()")
        roles = "service", "intruder"
        for role in roles:
            raw(f"CREATE ROLE {role} LOGIN")
            raw(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")
        yield Site(url, raw)
        for role in roles:
            raw(f"DROP OWNED BY {role} CASCADE")
            raw(f"DROP ROLE {role}")
