"""Copies and backups of an SQLite store: all can be opened, and a restored backup is another store."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from helpers.builders import is_dead, issued, key_of, log_of, registered
from helpers.changes import end_client
from oauth_mw import open_store

pytest.importorskip("fcntl")
pytestmark = pytest.mark.usefixtures("key")

TIMEOUT = 9.0  # a busy machine may be late


@pytest.fixture
def other(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "oauth.db"


def url_of(path):
    return f"sqlite:///{path}"


def copy_by_sqlite(path, to):
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(to)) as copy:
        database.backup(copy)


def vacuum_into(path, to):
    with closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM INTO ?", (str(to),))


def copied_file(path, to):
    to.write_bytes(path.read_bytes())


def remove_companions(path):
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def renamed_over(backup, path):
    remove_companions(path)
    backup.rename(path)


def written_over(backup, path):
    remove_companions(path)
    copied_file(backup, path)


COPIES = {"backup": copy_by_sqlite, "vacuum": vacuum_into, "copied": copied_file}
RESTORES = {"renamed over": renamed_over, "restored by SQLite": copy_by_sqlite}
# To write over a database that is in use damages it, whatever we do.
RESTORES_AT_REST = {**RESTORES, "written over": written_over}


def as_it_is(path):
    pass


def by_another_process(path):
    """So that the copy, and not what it will replace, is the older one."""
    path.with_name(path.name + "-oauth_mw").unlink()
    open_store(url_of(path)).close()


def before_numbers(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE oauth_mw_nonce")


ERAS = {"of this counter": as_it_is, "of an earlier counter": by_another_process}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_a_store_of_its_own(store, path, other, copy):
    store.close()
    copy(path, other)

    with closing(open_store(url_of(other))) as copied:
        assert end_client(copied, "tester")
    assert not is_dead(store, key_of())
    assert issued(store, number=1)


@pytest.mark.parametrize("restore", RESTORES.values(), ids=RESTORES)
@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
@pytest.mark.parametrize("version", [as_it_is, before_numbers], ids=["this version", "an earlier version"])
def test_a_restored_backup_is_another_store_though_its_log_ends_at_the_same_position(
    store, path, tmp_path, restore, era, version
):
    backup = tmp_path / "backup"
    store.close()
    copy_by_sqlite(path, backup)
    version(backup)
    era(path)
    lost = issued(store, number=1)
    seen = log_of(store)

    restore(backup, path)
    store.verify()

    page = store.read_log(seen.store_id, seen.position)
    assert (page.position, page.complete, store.find_token(lost)) == (seen.position, False, None)
    assert end_client(store, "tester")
    assert store.add_client(registered("new"))


def test_a_backup_that_was_used_elsewhere_is_restored_while_a_worker_serves(store, path, other):
    copy_by_sqlite(path, other)
    open_store(url_of(other)).close()  # this gives it a larger number
    log_of(store)

    copy_by_sqlite(other, path)
    store.verify()

    assert end_client(store, "tester")


@pytest.mark.parametrize("restore", RESTORES_AT_REST.values(), ids=RESTORES_AT_REST)
@pytest.mark.parametrize("era", ERAS.values(), ids=ERAS)
def test_a_start_opens_a_restored_backup(store, path, tmp_path, restore, era):
    backup = tmp_path / "backup"
    copy_by_sqlite(path, backup)
    store.close()
    era(path)
    restore(backup, path)

    with closing(open_store(store.url)) as again:
        assert end_client(again, "tester")


def test_a_store_from_before_there_were_numbers_is_opened(store, path):
    store.close()
    before_numbers(path)
    path.with_name("oauth.db-oauth_mw").write_bytes(bytes(8).ljust(4096, b"\0"))

    with closing(open_store(store.url)) as again:
        assert end_client(again, "tester")


KILLED = """
from oauth_mw.stores.sql.sqlite.change_counter import renew_nonce
class Driver:
    def __init__(self, driver):
        self.driver = driver
    def execute(self, statement, *values):
        if statement == "COMMIT":
            os._exit(9)
        return self.driver.execute(statement, *values)
with store.engine.writing() as link:
    counter = store.engine._connections.counter
    counter.nonce += 1
    renew_nonce(Driver(link.driver), counter)
"""


def test_a_process_that_is_killed_while_it_writes_the_number_stops_no_other(store, start):
    seen = log_of(store)
    assert start.fork(KILLED).ends() == 9

    store.verify()

    assert end_client(store, "tester")
    assert not store.read_log(seen.store_id, seen.position).complete


def test_a_check_that_finds_nothing_exchanged_lets_followers_go_on(store):
    seen = log_of(store)
    for number in range(1, 4):
        issued(store, number=number)
        store.verify()

    assert store.read_log(seen.store_id, seen.position).complete
