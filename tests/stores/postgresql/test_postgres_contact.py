"""First contact with a PostgreSQL: what is found there, made there, or refused."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from helpers.builders import registered
from helpers.engines import Postgres, wait_until
from helpers.postgres_raw import Raw
from helpers.store_urls import own_postgres_places, why_no_wheel
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreMissing
from oauth_mw.stores.sql.schema import VERSION

pytestmark = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))

NAMES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"


@pytest.fixture(scope="module")
def postgres():
    with own_postgres_places() as places:
        yield places


@pytest.fixture
def raw(postgres_url):
    with Raw(postgres_url) as raw:
        yield raw


@pytest.fixture
def made(postgres_url):
    open_store(postgres_url, create=True).close()


@pytest.fixture
def role(raw, postgres_url):
    """The URL of somebody without any right."""
    raw("CREATE ROLE stranger LOGIN")
    (schema,) = raw("SELECT current_schema()")
    raw(f"GRANT USAGE ON SCHEMA {schema} TO stranger")
    yield postgres_url.replace("//tests@", "//stranger@")
    raw("DROP OWNED BY stranger")
    raw("DROP ROLE stranger")


def test_where_nothing_is_nothing_is_opened_nor_made(postgres_url, raw):
    with pytest.raises(StoreMissing, match="holds no oauth_mw store"):
        open_store(postgres_url)

    assert raw(TABLES) == [0]


def test_what_one_has_made_another_opens(postgres_url):
    with closing(open_store(postgres_url, create=True)) as store:
        store.add_client(registered())

    with closing(open_store(postgres_url)) as store:
        assert store.find_client("tester")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_any_of_its_schemes_will_do(postgres_url, made, scheme):
    with closing(open_store(postgres_url.replace("postgresql+psycopg", scheme))) as store:
        assert store.url == postgres_url


def test_a_second_start_makes_nothing_anew(postgres_url, made):
    with closing(open_store(postgres_url)) as store:
        before = store.read_log("", -1).store_id

    with closing(open_store(postgres_url, create=True)) as store:
        assert store.read_log("", -1).store_id == before


def test_of_many_starts_at_once_one_makes_the_store(postgres_url):
    found, ready = [], Barrier(6)

    def start():
        ready.wait()
        with closing(open_store(postgres_url, create=True)) as store:
            found.append(store.read_log("", -1).store_id)

    threads = [Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(found), len(set(found))) == (6, 1)


def test_a_start_leaves_no_connection_behind(postgres_url, raw, made):
    with closing(open_store(postgres_url, create=True)):
        wait_until(lambda: not raw.backends(), "the end of the connection", 5)


def test_who_may_not_make_tables_is_refused_and_nothing_is_half_made(role, raw):
    with pytest.raises(ConfigError, match="permission denied for schema"):
        open_store(role, create=True)

    assert raw(TABLES) == [0]


def test_who_may_not_read_the_tables_is_refused(role, made):
    with pytest.raises(ConfigError, match="permission denied for table oauth_mw_store"):
        open_store(role)


def test_a_search_path_that_leads_nowhere_is_refused(postgres):
    with pytest.raises(ConfigError, match="no schema has been selected"):
        open_store(f"{postgres.url}?options=-csearch_path%3Dnowhere", create=True)


def test_a_role_without_the_right_to_make_tables_uses_those_that_are_there(role, raw, made):
    (schema,) = raw("SELECT current_schema()")
    raw(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO stranger")
    raw(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO stranger")

    with closing(open_store(role, create=True)) as store:
        assert store.add_client(registered())


@pytest.mark.parametrize(
    ("version", "way_out"),
    [(VERSION + 1, "upgrade oauth_mw"), (VERSION - 1, "stop all workers .* store upgrade`")],
    ids=["newer", "older"],
)
def test_another_schema_version_is_refused(postgres_url, raw, made, version, way_out):
    raw(f"UPDATE oauth_mw_store SET version = {version}")

    with pytest.raises(ConfigError, match=f"has schema version {version}, this oauth_mw knows {VERSION}: {way_out}$"):
        open_store(postgres_url, create=True)


FOREIGN = {
    "another schema version": "UPDATE oauth_mw_store SET version = version + 1",
    "no row": "DELETE FROM oauth_mw_store",
    "a table of something else": "ALTER TABLE oauth_mw_store DROP COLUMN version",
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_where_the_store_is_refused_nothing_is_made(postgres_url, raw, made, foreign):
    raw(foreign)
    raw("DROP TABLE oauth_mw_crash_marker")
    before = raw(NAMES)

    with pytest.raises(ConfigError):
        open_store(postgres_url, create=True)

    assert before and raw(NAMES) == before


def test_a_mark_that_is_missing_is_made_where_the_store_is_good(postgres_url, raw, made):
    before = raw(NAMES)
    raw("DROP TABLE oauth_mw_crash_marker")

    open_store(postgres_url, create=True).close()

    assert raw(NAMES) == before


def test_too_old_a_server_is_refused_and_nothing_is_made(postgres_url, raw, monkeypatch):
    monkeypatch.setattr("oauth_mw.stores.sql.postgresql.engine.OLDEST", 99)

    with pytest.raises(ConfigError, match="older PostgreSQL than 99"):
        open_store(postgres_url, create=True)

    assert raw(TABLES) == [0]


@contextmanager
def database(raw, encoding):
    raw(f"CREATE DATABASE other TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        yield
    finally:
        raw("DROP DATABASE other WITH (FORCE)")


def test_a_database_that_cannot_hold_all_text_is_refused(postgres, raw):
    url = postgres.url.rpartition("/")[0] + "/other"
    with database(raw, "LATIN1"), pytest.raises(ConfigError, match="encoding is not UTF8"):
        open_store(url, create=True)


def test_a_database_that_takes_text_as_it_comes_holds_it_all(postgres, raw):
    url = postgres.url.rpartition("/")[0] + "/other"
    with database(raw, "SQL_ASCII"), closing(open_store(url, create=True)) as store:
        store.add_client(replace(registered(), name="Bücher 本"))

        assert store.find_client("tester").name == "Bücher 本"


# Down at the start


@pytest.fixture
def engine():
    engine = Postgres()
    yield engine
    engine.close()


def test_a_start_without_a_server_is_told_and_comes_up_by_itself(engine):
    told = []

    with closing(open_store(engine.url, create=True, unavailable=told.append)) as store:
        with pytest.raises(StoreUnavailable):
            store.add_client(registered())
        engine.start()
        assert store.add_client(registered())

    assert [type(each) for each in told] == [StoreUnavailable]


def test_without_somebody_to_tell_a_start_without_a_server_fails(engine):
    with pytest.raises(StoreUnavailable):
        open_store(engine.url, create=True)


def test_what_would_refuse_a_start_is_503_once_the_server_comes_up(engine):
    with closing(open_store(engine.url, unavailable=lambda error: None)) as store:
        engine.start()

        with pytest.raises(StoreUnavailable, match="holds no oauth_mw store"):
            store.find_client("tester")


def test_psycopg_still_makes_each_attempt_to_connect_by_the_method_that_we_bound():
    """``Connection._connect_gen`` is private: setup.cfg bounds psycopg's version because of it."""
    import inspect

    from psycopg import Connection

    assert "cls._connect_gen(conninfo" in inspect.getsource(Connection.connect)
    assert inspect.isgeneratorfunction(Connection._connect_gen.__func__)
