"""First contact with a PostgreSQL: what is found, created or refused."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from helpers.builders import registered
from helpers.engines_base import free_port, wait_until
from helpers.relay import relayed
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreMissing

NAMES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"


@pytest.fixture(scope="module")
def postgres(own_postgres):
    return own_postgres


@pytest.fixture
def made(postgres_url):
    open_store(postgres_url, create=True).close()


@pytest.fixture
def role(raw, postgres_url):
    """The URL for a role without any right."""
    raw("CREATE ROLE stranger LOGIN")
    (schema,) = raw("SELECT current_schema()")
    raw(f"GRANT USAGE ON SCHEMA {schema} TO stranger")
    yield postgres_url.replace("//tests@", "//stranger@")
    raw("DROP OWNED BY stranger")
    raw("DROP ROLE stranger")


def test_without_create_a_missing_store_is_refused_and_nothing_is_created(postgres_url, raw):
    with pytest.raises(StoreMissing, match="holds no oauth_mw store"):
        open_store(postgres_url)

    assert raw(TABLES) == [0]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_any_of_its_schemes_will_do(postgres_url, made, scheme):
    with closing(open_store(postgres_url.replace("postgresql+psycopg", scheme))) as store:
        assert store.url == postgres_url


def test_a_second_start_creates_no_other_store(postgres_url, made):
    with closing(open_store(postgres_url)) as store:
        before = store.read_log("", -1).store_id

    with closing(open_store(postgres_url, create=True)) as store:
        assert store.read_log("", -1).store_id == before


def test_exactly_one_of_several_concurrent_starts_creates_the_store(postgres_url):
    ready = Barrier(6)

    def start(_):
        ready.wait()
        with closing(open_store(postgres_url, create=True)) as store:
            return store.read_log("", -1).store_id

    with ThreadPoolExecutor(6) as threads:
        assert len({*threads.map(start, range(6))}) == 1


def test_a_start_leaves_no_connection_behind(postgres_url, raw, made):
    with closing(open_store(postgres_url, create=True)):
        wait_until(lambda: not raw.backends(), "the end of the connection")


def test_a_role_that_may_not_create_tables_is_refused_and_none_is_created(role, raw):
    with pytest.raises(ConfigError, match="permission denied for schema"):
        open_store(role, create=True)

    assert raw(TABLES) == [0]


def test_a_role_that_may_not_read_the_tables_is_refused(role, made):
    with pytest.raises(ConfigError, match="permission denied for table oauth_mw_store"):
        open_store(role)


def test_a_search_path_that_leads_nowhere_is_refused(postgres):
    with pytest.raises(ConfigError, match="no schema has been selected"):
        open_store(f"{postgres.url}?options=-csearch_path%3Dnowhere", create=True)


FOREIGN = {
    "another schema version": "UPDATE oauth_mw_store SET version = version + 1",
    "no row": "DELETE FROM oauth_mw_store",
    "a table of something else": "ALTER TABLE oauth_mw_store DROP COLUMN version",
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_if_the_store_is_refused_nothing_is_created(postgres_url, raw, made, foreign):
    raw(foreign)
    raw("DROP TABLE oauth_mw_crash_marker")
    before = raw(NAMES)

    with pytest.raises(ConfigError):
        open_store(postgres_url, create=True)

    assert before and raw(NAMES) == before


def test_a_missing_crash_marker_is_created_in_a_good_store(postgres_url, raw, made):
    before = raw(NAMES)
    raw("DROP TABLE oauth_mw_crash_marker")

    open_store(postgres_url, create=True).close()

    assert raw(NAMES) == before


def test_a_server_that_is_too_old_is_refused_and_nothing_is_created(postgres_url, raw):
    def older(data):
        return re.sub(rb"(server_version\0)\d\d", rb"\g<1>13", data)

    with relayed(postgres_url, older) as relay, pytest.raises(ConfigError, match="older PostgreSQL than 14"):
        open_store(relay.url, create=True)

    assert raw(TABLES) == [0]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_must_hold_all_text(postgres, raw, encoding):
    url = postgres.url.rpartition("/")[0] + "/other"
    raw(f"CREATE DATABASE other TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        if encoding == "LATIN1":
            with pytest.raises(ConfigError, match="encoding is not UTF8"):
                open_store(url, create=True)
        else:  # takes any bytes
            with closing(open_store(url, create=True)) as store:
                store.add_client(registered(scopes=("Bücher 本",)))
                assert store.find_client("tester").scopes == ("Bücher 本",)
    finally:
        raw("DROP DATABASE other WITH (FORCE)")


# Without a server at the start


def test_a_start_without_a_server_works_later_and_what_would_refuse_it_is_503(postgres_url):
    reports = []
    with relayed(postgres_url) as relay:
        up, relay.server = relay.server, free_port()
        with (
            closing(open_store(relay.url, unavailable=reports.append)) as other,
            closing(open_store(relay.url, create=True, unavailable=reports.append)) as store,
        ):
            with pytest.raises(StoreUnavailable):
                store.add_client(registered())
            relay.server = up
            with pytest.raises(StoreUnavailable, match="holds no oauth_mw store"):
                other.find_client("tester")
            assert store.add_client(registered()) and other.find_client("tester")

    assert [isinstance(each, StoreUnavailable) for each in reports] == [True] * 2


def test_a_server_that_falls_silent_during_a_start_is_named_as_such(postgres_url, made):
    def silent(data):
        return b"" if b"\x01version\0" in data else data  # the only column of a reply

    with relayed(postgres_url, silent) as relay, pytest.raises(StoreUnavailable) as raised:
        open_store(relay.url, create=True, timeout=1.0)

    assert "already in progress" not in raised.value.reason  # the message of a rollback after an unanswered statement


def test_without_a_function_to_call_a_start_without_a_server_fails():
    with pytest.raises(StoreUnavailable):
        open_store(f"postgresql://tests@127.0.0.1:{free_port()}/postgres", create=True)


def test_psycopg_still_makes_each_attempt_to_connect_by_the_method_that_we_bound():
    """``Connection._connect_gen`` is private: setup.cfg bounds psycopg's version because of it."""
    import inspect

    from psycopg import Connection

    assert "cls._connect_gen(conninfo" in inspect.getsource(Connection.connect)
    assert inspect.isgeneratorfunction(Connection._connect_gen.__func__)
