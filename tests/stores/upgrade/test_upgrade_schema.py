"""What the tables of an upgraded store are, and the copy that is kept of an SQLite database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from helpers.postgres_raw import Raw
from helpers.upgrading import run_old
from oauth_mw import AdminError, ConfigError, admin, open_store
from oauth_mw.stores import upgrade_store

slow = pytest.mark.slow
BOTH = pytest.mark.parametrize("store_kind", ["sqlite", pytest.param("postgresql", marks=slow)])
COLUMNS = """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable
FROM information_schema.columns WHERE table_schema = current_schema() AND table_name LIKE 'oauth_mw_%'"""
INDEXES = "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = current_schema()"
REMEMBERED = """CREATE TABLE oauth_mw_remembered ("key" BLOB NOT NULL, until BIGINT NOT NULL, PRIMARY KEY ("key"))
WITHOUT ROWID;
CREATE INDEX oauth_mw_remembered_until ON oauth_mw_remembered (until);
INSERT INTO oauth_mw_remembered VALUES (x'01', 1900000000)"""


@pytest.fixture
def path(store_url):
    return store_url.removeprefix("sqlite:///")


def in_sqlite(path):
    """The columns and indexes of all tables."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            (table, *column[1:4], column[5])
            for table in tables
            for column in connection.execute(f"PRAGMA table_info({table})")
        }
        indexes = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        return columns, {*connection.execute(indexes)}


def test_an_upgraded_database_has_one_column_more_than_a_new_one(old_url, path, tmp_path):
    open_store(f"sqlite:///{tmp_path}/new.db", create=True).close()

    upgrade_store(old_url)

    columns, indexes = in_sqlite(path)
    new_columns, new_indexes = in_sqlite(tmp_path / "new.db")
    assert columns - new_columns == {("oauth_mw_tokens", "audience", "TEXT", 0, 0)}
    assert (new_columns <= columns, indexes) == (True, new_indexes)
    with closing(sqlite3.connect(path)) as connection:
        assert [*connection.execute("SELECT DISTINCT audience FROM oauth_mw_tokens")] == [(None,)]


@slow
@pytest.mark.parametrize("store_kind", ["postgresql"])
def test_an_upgraded_schema_is_as_a_new_one(old_url, postgres):
    upgrade_store(old_url)

    with postgres.fresh() as url, Raw(old_url) as upgraded, Raw(url) as new:
        open_store(url, create=True).close()
        for question in (COLUMNS, INDEXES):
            assert {*upgraded(question)} == {*new(question)}


@BOTH
def test_new_clients_get_numbers_of_their_own(old_url):
    upgrade_store(old_url)

    with closing(open_store(old_url)) as store:
        added = [admin.add_client(store, name).client for name in "ab"]

        assert all(store.find_client(client.client_id) == client for client in added)


def test_the_copy_has_what_was_committed_last_for_its_owner_alone(old_url, path, kept):
    os.chmod(path, 0o644)
    with closing(sqlite3.connect(path)) as writer:  # its log stays until it closes
        writer.execute("UPDATE oauth_mw_client SET name = 'last' WHERE client_id = 'plain'")
        writer.commit()

        copy = upgrade_store(old_url)

    assert [str(found) for found in kept()] == [copy]
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT name FROM oauth_mw_client WHERE client_id = 'plain'").fetchone() == ("last",)


@slow
def test_the_old_code_reads_the_copy(old_url, path, facts):
    restored = shutil.move(upgrade_store(old_url), f"{path}.restored")

    assert facts["store_id"] in run_old("--store", f"sqlite:///{restored}", "store", "info").stdout


def test_a_copy_replaces_no_file(old_url, path, tmp_path):
    now = int(time.time())
    names = [f"{path}.before-upgrade-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now + n))}" for n in range(120)]
    for name in names:
        Path(name).touch()

    with pytest.raises(FileExistsError):
        upgrade_store(old_url)

    assert not any(os.path.getsize(name) for name in names)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM oauth_mw_store").fetchone() == (2,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_makes_no_copy_in_the_folder_of_another_user(old_url, path, tmp_path, kept):
    os.chown(tmp_path, 1234, -1)
    os.chown(path, 1234, -1)

    with pytest.raises(ConfigError, match="run this as the service's user"):
        upgrade_store(old_url)

    assert kept() == []


def test_ids_that_were_used_once_stay_used(old_url, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(REMEMBERED)

    upgrade_store(old_url)

    with closing(open_store(old_url, clock=lambda: 1_800_000_000)) as store:
        assert not store.remember_once(b"\x01", 1_900_000_000)
        assert store.remember_once(b"\x02", 1_900_000_000)


@slow
@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql"])
def test_a_copy_counts_as_changed(old_url, store_kind, tmp_path, request):
    file = nullcontext(f"sqlite:///{tmp_path}/copy.db")
    place = file if store_kind == "sqlite" else request.getfixturevalue("postgres").fresh()
    with place as url:
        assert run_old("store", "copy", old_url, url).returncode == 0
        upgrade_store(old_url)

        upgrade_store(url)

        with closing(open_store(old_url)) as source, closing(open_store(url)) as target:
            assert [*target.clients()] == [*source.clients()]
            with pytest.raises(AdminError, match="is not empty, and not an unchanged copy"):
                admin.copy_store(source, target)
