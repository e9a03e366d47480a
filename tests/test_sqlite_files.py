"""The files of an SQLite store: made, judged, exchanged, removed."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from support import HandClock

from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreMissing
from oauth_mw.model import Client, Store, TokenRecord

CLIENT = Client("reader", "Reader", ("read",))
LIVE = (1_800_003_600).to_bytes(4) + bytes(28)
TOKEN = TokenRecord("reader", "read", 1_800_000_000, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oauth.db"


@pytest.fixture
def made(path: Path, clock: HandClock) -> Any:
    opened = open_store(f"sqlite:///{path}", create=True, timeout=0.5, clock=clock)
    opened.add_client(CLIENT)
    yield opened
    opened.close()


def counter_of(path: Path) -> Path:
    return path.with_name(path.name + "-oauth_mw")


def test_the_files_are_their_owners_alone(made: Store, path: Path):
    assert [stat.S_IMODE(os.stat(file).st_mode) for file in (path, counter_of(path))] == [0o600, 0o600]


def test_the_counter_takes_the_mode_of_an_existing_database(path: Path):
    path.touch(mode=0o640)
    os.chmod(path, 0o640)

    open_store(f"sqlite:///{path}", create=True).close()

    assert stat.S_IMODE(os.stat(counter_of(path)).st_mode) == 0o640


def test_the_counter_is_kept_when_the_store_is_opened_again(made: Store, path: Path):
    before = os.stat(counter_of(path)).st_ino

    open_store(f"sqlite:///{path}").close()

    assert os.stat(counter_of(path)).st_ino == before


def test_a_store_that_is_not_there_is_not_made_by_looking(path: Path):
    with pytest.raises(StoreMissing):
        open_store(f"sqlite:///{path}")

    assert not path.exists()


@pytest.mark.parametrize("place", ["missing/oauth.db", "file/oauth.db"], ids=["missing", "a file"])
def test_a_folder_that_cannot_be_stops_the_start(tmp_path: Path, place: str):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="^store: the folder .* does not exist"):
        open_store(f"sqlite:///{tmp_path}/{place}", create=True)


def test_a_folder_in_place_of_the_file_stops_the_start(path: Path):
    path.mkdir()

    with pytest.raises(ConfigError, match="^store: "):
        open_store(f"sqlite:///{path}", create=True)


def test_what_is_no_database_stops_the_start(path: Path):
    path.write_text("not a database, but long enough to be taken for one" * 20)

    with pytest.raises(ConfigError, match="is not an SQLite database"):
        open_store(f"sqlite:///{path}", create=True)


def test_a_database_of_something_else_is_not_touched(path: Path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE other (x)")
    database.close()

    with pytest.raises(StoreMissing, match="holds no oauth_mw store"):
        open_store(f"sqlite:///{path}")

    assert sorted(os.listdir(path.parent)) == [path.name]


def test_the_tables_go_beside_those_of_something_else(path: Path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE other (x)")
    database.close()

    store = open_store(f"sqlite:///{path}", create=True)

    assert store.find_client("nobody") is None
    store.close()


@pytest.mark.parametrize("create", [True, False], ids=["start", "command"])
def test_a_newer_schema_is_refused(made: Store, path: Path, create: bool):
    set_version(path, 2)

    with pytest.raises(ConfigError, match="schema version 2, this oauth_mw knows 1: upgrade it"):
        open_store(f"sqlite:///{path}", create=create)


def test_a_newer_schema_met_later_is_unavailable(made: Store, path: Path):
    set_version(path, 2)

    with pytest.raises(StoreUnavailable, match="schema version 2"):
        made.close()
        made.find_client("reader")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=ro"])
def test_a_url_that_names_no_file_is_refused(url: str):
    with pytest.raises(ConfigError, match="^store: expected sqlite:///file"):
        open_store(url, create=True)


@pytest.mark.parametrize("url", ["sqlite", "mysql://me:hidden@host/db", "memory://x", "", "postgresql://h/d"])
def test_another_url_is_refused_without_its_password(url: str):
    with pytest.raises(ConfigError, match="^store: ") as caught:
        open_store(url)

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("gone", ["database", "counter"])
def test_nothing_is_acknowledged_into_a_removed_file(made: Store, path: Path, gone: str):
    made.add_token(LIVE, TOKEN)
    os.unlink(path if gone == "database" else counter_of(path))

    with pytest.raises(StoreUnavailable, match="exchanged"):
        made.revoke_token(LIVE)


def test_a_removed_database_is_noticed_by_the_look_and_not_made_anew(made: Store, path: Path):
    made.find_client("reader")
    os.unlink(path)

    with pytest.raises(StoreUnavailable):
        made.look()

    assert not path.exists()


def test_a_database_that_is_back_is_used_again(made: Store, path: Path):
    made.close()
    aside = path.with_name("aside")
    os.rename(path, aside)
    with pytest.raises(StoreUnavailable):
        made.find_client("reader")

    os.rename(aside, path)

    assert made.find_client("reader") is not None


def test_an_exchanged_database_is_another_store(made: Store, path: Path, tmp_path: Path, clock: HandClock):
    before = made.read_log("", 0)
    other = open_store(f"sqlite:///{tmp_path}/other.db", create=True, clock=clock)
    other.close()
    os.replace(tmp_path / "other.db", path)

    made.look()

    assert made.read_log(before.store_id, before.position).complete is False


def test_a_lost_counter_is_made_anew(made: Store, path: Path):
    os.unlink(counter_of(path))

    made.look()
    made.add_token(LIVE, TOKEN)

    assert (counter_of(path).exists(), made.revoke_token(LIVE)) == (True, True)


def test_a_locked_database_is_unavailable_in_time(made: Store, path: Path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailable, match="locked"):
            made.end_client("reader")
    finally:
        other.close()

    assert made.end_client("reader") is True


def test_a_start_on_a_locked_database_is_made_good_later(path: Path, clock: HandClock):
    told: list[StoreUnavailable] = []
    path.touch()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = open_store(f"sqlite:///{path}", create=True, timeout=0.2, clock=clock, unavailable=told.append)

    other.close()

    assert (len(told), store.add_client(CLIENT)) == (1, True)
    store.close()


def test_what_ends_tokens_survives_power_loss_and_an_issue_need_not(made: Any):
    seen: list[str] = []
    with made._engine.reading() as connection:
        connection.connection.driver_connection.set_trace_callback(seen.append)

    made.add_token(LIVE, TOKEN)
    issue, seen[:] = list(seen), []
    made.revoke_token(LIVE)

    assert not any("synchronous" in text for text in issue)
    order = [text for text in seen if "synchronous" in text or text in ("BEGIN IMMEDIATE", "COMMIT")]
    assert order == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA synchronous=NORMAL"]


def test_ending_a_client_touches_no_token_row(made: Store, path: Path):
    made.add_token(LIVE, TOKEN)
    before = rows(path)

    made.end_client("reader")

    assert rows(path) == before


def test_the_log_is_swept_and_says_so(made: Store, clock: HandClock):
    made.end_client("reader")
    early = made.read_log("", 0)
    made.end_client("reader")
    clock.move(3 * 24 * 3600)

    made.end_client("reader")

    assert made.read_log(early.store_id, early.position).complete is False


def set_version(path: Path, version: int) -> None:
    database = sqlite3.connect(path)
    database.execute("UPDATE oauth_mw_store SET version = ?", (version,))
    database.commit()
    database.close()


def rows(path: Path) -> list[Any]:
    database = sqlite3.connect(path)
    found = database.execute("SELECT * FROM oauth_mw_token").fetchall()
    database.close()
    return found
