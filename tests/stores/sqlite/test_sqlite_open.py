"""An SQLite store is checked when it is opened, and again at every later contact and start."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.changes import end_client
from helpers.mounts import read_only, why_no_mounts
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreMissing
from oauth_mw.stores import in_folder
from oauth_mw.stores.sql.schema import VERSION

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def test_the_schema_is_made_on_first_use_with_its_version(store, sql):
    assert sql("SELECT one, version FROM oauth_mw_store") == [(1, VERSION)]
    assert sql("PRAGMA journal_mode") == [("wal",)]  # in which writers do not block readers


def test_opening_creates_nothing_unless_asked(path):
    with pytest.raises(StoreMissing, match="there is no store at"):
        open_store(f"sqlite:///{path}")

    assert list(path.parent.iterdir()) == []


def test_the_tables_are_created_beside_other_tables(path, sql):
    sql("CREATE TABLE other (x)")

    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        assert store.find_client("nobody") is None

    assert sql("SELECT * FROM other") == []


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "%41.db", "#.db", "ü.db", "a&b=c.db", "x.db:memory:"])
def test_the_file_has_the_name_it_was_given(tmp_path, name):
    open_store(f"sqlite:///{tmp_path}/{name}", create=True).close()

    assert name in os.listdir(tmp_path)


def test_slashes_at_the_beginning_of_a_path_are_one(tmp_path):
    with closing(open_store(f"sqlite:////{tmp_path}/oauth.db", create=True)) as store:
        assert store.url == f"sqlite:///{tmp_path}/oauth.db"


def test_a_relative_path_is_resolved_once_when_the_store_is_opened(tmp_path, monkeypatch):
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
def test_a_file_that_is_no_database_is_refused(path, create):
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
@pytest.mark.parametrize("of_another_user", [False, pytest.param(True, marks=as_root)])
def test_a_folder_that_is_not_writable_is_refused(public_folder, as_nobody, of_another_user):
    url = f"sqlite:///{public_folder}/oauth.db"
    if of_another_user:
        open_store(url, create=True).close()
    public_folder.chmod(0o555)

    def refused():
        with pytest.raises(ConfigError, match="is not writable"):
            open_store(url, create=True)
        return True

    assert as_nobody(refused) == 0


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere")])
def test_a_folder_or_a_dangling_link_is_refused(path, make):
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


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x"
FOREIGN = {
    "view": f"ALTER TABLE oauth_mw_clients RENAME TO c; CREATE VIEW oauth_mw_clients AS {ENDLESS} FROM n",
    "view of the version": f"ALTER TABLE oauth_mw_store RENAME TO s; CREATE VIEW OAUTH_MW_store AS {ENDLESS} FROM n",
    "view in SQLite's place": f"CREATE VIEW pragma_schema_version AS {ENDLESS} AS schema_version FROM n",
    "trigger": f"""CREATE TRIGGER t BEFORE UPDATE ON oauth_mw_clients BEGIN
        SELECT count(*) FROM ({ENDLESS} FROM n); END""",
    "virtual table": "DROP TABLE oauth_mw_clients; CREATE VIRTUAL TABLE oauth_mw_clients USING fts5(client_id)",
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_views_triggers_and_virtual_tables_that_would_run_code_are_refused(store, path, foreign):
    """A command of root would never end."""
    store.close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(foreign)

    with pytest.raises(ConfigError, match="holds the (view|trigger|table) .*, which is not the store's: drop it"):
        open_store(store.url)


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


# Later starts: an outage, where the counter file shows that the store was used


@pytest.fixture
def spoiled(path, store):
    """What was in the file of a store before it became no database; the counter is still there."""
    store.close()
    whole = path.read_bytes()
    path.write_bytes(b"no database" * 99)
    return whole


def test_a_start_on_a_store_that_was_damaged_is_an_outage_until_it_is_mended(path, store, spoiled):
    errors = []
    again = open_store(store.url, create=True, unavailable=errors.append)

    with pytest.raises(StoreUnavailable):
        again.find_client("tester")
    path.write_bytes(spoiled)
    assert again.find_client("tester")
    again.close()
    assert [error.reason for error in errors] == [f"store: {path} is not an SQLite database"]


def test_after_such_a_start_no_new_store_is_created(path, store, spoiled):
    again = open_store(store.url, create=True, unavailable=lambda error: None)
    path.write_bytes(b"")

    with pytest.raises(StoreUnavailable, match="holds no oauth_mw store"):
        again.find_client("tester")


@pytest.mark.parametrize(("without_counter", "error"), [(True, ConfigError), (False, StoreUnavailable)])
def test_a_damaged_store_is_a_fault_of_configuration_without_its_counter(
    store, counter, spoiled, without_counter, error
):
    if without_counter:
        counter.unlink()

    with pytest.raises(error, match="is not an SQLite database"):
        open_store(store.url, create=True)


START = """
import sys
from oauth_mw import StoreUnavailable, open_store
errors = []
store = open_store(sys.argv[1], create=True, unavailable=errors.append)
print(errors[0].reason)
"""


@pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())
def test_a_start_on_a_file_system_that_became_read_only_is_an_outage(path, store):
    store.close()

    assert "is not writable" in read_only(path.parent, START, store.url)


def test_a_refused_contact_leaves_nothing_open(store, sql, open_files):
    sql("UPDATE oauth_mw_nonce SET nonce = 'x'")
    before = len(open_files())

    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            store.verify()

    assert len(open_files()) <= before + 3
