"""An SQLite store is judged when it is opened, and again at every later contact."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.changes import end_client
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreMissing
from oauth_mw.stores import in_folder
from oauth_mw.stores.sql.schema import VERSION


def test_the_schema_is_made_on_first_use_with_its_version(store, sql):
    assert sql("SELECT one, version FROM oauth_mw_store") == [(1, VERSION)]
    assert sql("PRAGMA journal_mode") == [("wal",)]  # in which writers do not block readers


def test_an_empty_file_becomes_a_store(path):
    path.touch()

    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        assert store.add_client(registered())


def test_a_second_start_finds_what_the_first_one_left(store):
    with closing(open_store(store.url, create=True)) as again:
        assert again.find_client("tester") is not None


def test_opening_creates_nothing_unless_asked(path):
    with pytest.raises(StoreMissing, match="there is no store at"):
        open_store(f"sqlite:///{path}")

    assert list(path.parent.iterdir()) == []


def test_the_tables_go_beside_those_of_something_else(path, sql):
    sql("CREATE TABLE other (x)")

    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        assert store.find_client("nobody") is None

    assert sql("SELECT * FROM other") == []


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "%41.db", "#.db", "ü.db", "a&b=c.db", "x.db:memory:"])
def test_the_file_has_the_name_it_was_given(tmp_path, name):
    open_store(f"sqlite:///{tmp_path}/{name}", create=True).close()

    assert name in os.listdir(tmp_path)


def test_a_relative_path_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///oauth.db", create=True)) as store:
        monkeypatch.chdir(tmp_path / "elsewhere")

        assert store.add_client(registered())
        assert store.url == f"sqlite:///{tmp_path}/oauth.db"


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("sqlite:///oauth.db", "sqlite:////app/oauth.db"),
        ("sqlite:///../oauth.db", "sqlite:////app/../oauth.db"),
        ("sqlite:////var/oauth.db", "sqlite:////var/oauth.db"),
        ("memory://", "memory://"),
    ],
)
def test_a_relative_url_is_read_from_the_folder_of_its_ini(url, inside):
    assert (in_folder(url, "/app"), in_folder(url, None)) == (inside, url)


# Refused


@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_database_is_refused(path, create):
    path.write_text("no database, but more than the hundred bytes of the header of one" * 20)

    with pytest.raises(ConfigError, match="is not an SQLite database"):
        open_store(f"sqlite:///{path}", create=create)


def test_a_database_without_our_tables_is_refused_and_left_alone(path, sql):
    sql("CREATE TABLE other (x)")
    before = path.read_bytes()

    with pytest.raises(StoreMissing, match="holds no oauth_mw store"):
        open_store(f"sqlite:///{path}")

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("step", "way_out"),
    [(1, "upgrade oauth_mw"), (-1, "stop all workers .* store upgrade`")],
    ids=["newer", "older"],
)
def test_another_schema_is_refused_with_both_versions(store, sql, create, step, way_out):
    sql(f"UPDATE oauth_mw_store SET version = {VERSION + step}")

    with pytest.raises(ConfigError, match=f"schema version {VERSION + step}, this oauth_mw knows {VERSION}: {way_out}"):
        open_store(store.url, create=create)


@pytest.mark.parametrize("create", [True, False])
def test_a_store_without_its_one_row_is_refused_and_not_said_to_be_missing(store, sql, create):
    sql("DELETE FROM oauth_mw_store")

    with pytest.raises(ConfigError, match="has lost its own row"):
        open_store(store.url, create=create)


@pytest.mark.parametrize("folder", ["missing", "file", "file/below"])
@pytest.mark.parametrize(("create", "message"), [(True, "does not exist"), (False, "there is no store at")])
def test_a_folder_that_is_missing_or_no_folder_is_refused(tmp_path, folder, create, message):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=message):
        open_store(f"sqlite:///{tmp_path}/{folder}/oauth.db", create=create)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, and folders that have a mode")
def test_a_folder_that_is_not_writable_is_refused(public_folder, as_nobody):
    public_folder.chmod(0o555)

    def refused():
        with pytest.raises(ConfigError, match="is not writable"):
            open_store(f"sqlite:///{public_folder}/oauth.db", create=True)
        return True

    assert as_nobody(refused) == 0


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_refused(path, make):
    make(path)

    with pytest.raises(ConfigError, match="^store: "):
        open_store(f"sqlite:///{path}", create=True)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "sqlite:///a\0b"]
)
def test_a_url_that_names_no_file_is_refused(url):
    with pytest.raises(ConfigError, match="^store: expected sqlite:///file"):
        open_store(url, create=True)


@pytest.mark.parametrize("url", ["sqlite", "mysql://me:hidden@host/db", "memory://x", "", "sqlite:x.db", "://"])
def test_another_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="^store: ") as caught:
        open_store(url)

    assert "hidden" not in str(caught.value)


# Later contacts


LATER = {
    "a newer schema": lambda path, sql: sql(f"UPDATE oauth_mw_store SET version = {VERSION + 1}"),
    "no tables of ours": lambda path, sql: sql("DROP TABLE oauth_mw_store"),
    "no database": lambda path, sql: path.write_text("no database" * 99),
    "nothing there": lambda path, sql: path.unlink(),
    "a folder": lambda path, sql: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("spoil", LATER.values(), ids=LATER)
def test_what_stops_a_start_is_an_outage_later(path, store, sql, spoil):  # L-03
    store.close()
    spoil(path, sql)

    for call in (
        lambda: store.find_client("tester"),
        lambda: end_client(store, "tester"),
        store.verify,
        lambda: store.read_log("", -1),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_the_outage_is_over_when_the_store_is_back(path, store):
    store.close()
    path.rename(path.with_name("aside"))
    with pytest.raises(StoreUnavailable):
        store.find_client("tester")

    path.with_name("aside").rename(path)

    assert store.find_client("tester")
