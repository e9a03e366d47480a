"""A start on a store that cannot be used any more: an outage, where its counter file shows that it was used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from helpers.mounts import read_only, why_no_mounts
from oauth_mw import ConfigError, StoreUnavailable, open_store

pytest.importorskip("fcntl")


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_store_of_another_user_that_this_one_may_not_write_is_refused(public_folder, as_nobody):
    url = f"sqlite:///{public_folder}/oauth.db"
    open_store(url, create=True).close()

    def refused():
        with pytest.raises(ConfigError, match="is not writable"):
            open_store(url, create=True)
        return True

    assert as_nobody(refused) == 0


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
def test_what_would_run_the_code_of_the_databases_owner_is_refused(store, path, foreign):
    """A command of root would never end."""
    store.close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(foreign)

    with pytest.raises(ConfigError, match="holds the (view|trigger|table) .*, which is not the store's: drop it"):
        open_store(store.url)


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
