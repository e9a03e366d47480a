"""An SQLite store with a damaged row: whatever SQLite keeps in a column, the answer is not 500."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.changes import end_client
from helpers.damage import fill, issued_text, judge_answers, requests
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.change_counter import SUFFIX

NOT_UTF8 = "CAST(x'616263ff' AS TEXT)"
BAD = {
    "NULL": None,
    "a number": 7,
    "minus one": -1,
    "a large number": 2**63 - 1,
    "a fraction": 0.5,
    "text": "text",
    "no text": "",
    "digits": "12",
    "bytes": b"\xff\xfe",
    "no bytes": b"",
    "a long word": "x" * 100_000,
    "no UTF-8": NOT_UTF8,
}
BAD_JSON = {
    "an open bracket": "{",
    "a list": '["a"]',
    "many brackets": "[" * 100_000,
    "an object": '{"tier": "gold"}',
    "an infinite attribute": '{"attributes": {"tier": 1e999}}',
    "half a character": '{"attributes": {"tier": "\\ud800"}}',
    "an attribute of no type": '{"attributes": {"tier": null}}',
    "a public attribute that is none": '{"public_attributes": ["tier"]}',
    "many digits": '{"attributes": {"tier": ' + "9" * 5000 + "}}",
    "secrets of no kind": '{"secrets": [{"secret_id": "a"}]}',
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undamaged store, its columns, and a token that it issued."""
    path = tmp_path_factory.mktemp("whole") / "oauth.db"
    with closing(open_store(f"sqlite:///{path}", create=True)) as store:
        fill(store)
        text = issued_text(store)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [
            (table, row[1]) for table in sorted(tables) for row in database.execute(f"PRAGMA table_info({table})")
        ]
    return path, columns, text


@pytest.fixture(scope="module")
def damaged(whole, tmp_path_factory):
    """The URL of a copy in which one statement was executed; ``None`` where SQLite does not let it."""
    path, _, _ = whole
    copy = tmp_path_factory.mktemp("damaged") / "oauth.db"

    def make(statement, *values):
        for file in copy.parent.iterdir():
            file.unlink()
        shutil.copy(path, copy)
        try:
            with closing(sqlite3.connect(copy)) as database, database:
                database.execute(statement, values)
        except sqlite3.Error:
            return None
        return f"sqlite:///{copy}"

    return make


def judged(whole, damaged, column, value):
    """Damage one column of all rows of its table, and call everything that reads the store."""
    _, _, token = whole
    place = f"UPDATE {column[0]} SET {column[1]} = "
    url = damaged(place + NOT_UTF8) if value is NOT_UTF8 else damaged(place + "?", value)
    if url is None:
        return
    try:
        store = open_store(url)
    except (ConfigError, StoreUnavailable):  # of the store's own row
        return
    with closing(store):
        judge_answers(store, token)


@given(data=st.data())
@settings(max_examples=20)
def test_whatever_is_in_a_column_is_an_answer_or_an_outage(whole, damaged, data):
    value = data.draw(st.sampled_from([*BAD.values(), *BAD_JSON.values()]) | st.text() | st.binary())

    judged(whole, damaged, data.draw(st.sampled_from(whole[1])), value)


@pytest.mark.slow
@pytest.mark.parametrize("value", [*BAD.values(), *BAD_JSON.values()], ids=[*BAD, *BAD_JSON])
def test_each_column_with_each_value_is_an_answer_or_an_outage(whole, damaged, value):
    for column in whole[1]:
        if value not in BAD_JSON.values() or column[1] in ("record", "extra"):
            judged(whole, damaged, column, value)


OUTAGES = {
    "a record in bytes": ("oauth_mw_clients SET record = CAST(record AS BLOB)", "token"),
    "a record without an end": ("oauth_mw_clients SET record = '{'", "token"),
    "a record too deep": (f"oauth_mw_clients SET record = '{'[' * 100_000}'", "token"),
    "a record that is not UTF-8": (f"oauth_mw_clients SET record = {NOT_UTF8}", "token"),
    "a lifetime before now": ("oauth_mw_clients SET record = json_set(record, '$.lifetime', -5)", "token"),
    "verifiers that are a number": ("oauth_mw_clients SET verifiers = 16", "token"),
    "a token's scope in bytes": ("oauth_mw_tokens SET scope = x'72656164'", "guard"),
    "a token's position in words": ("oauth_mw_tokens SET position = 'head'", "guard"),
    "a mark in words": ("oauth_mw_tokens SET revoked = 'yes'", "guard"),
    "a client's position in words": ("oauth_mw_clients SET revoked_before = 'now'", "guard"),
    "an event's key in text": ("oauth_mw_revocations SET key = 'key'", "guard again"),
    "a head in words": ("oauth_mw_store SET position = 'head'", "guard"),
    "a head beyond all numbers": (f"oauth_mw_store SET position = {2**63 - 1}", "revoke"),
    "a floor in words": ("oauth_mw_store SET log_floor = 'floor'", "guard"),
    "a key that is none": ("oauth_mw_key_set SET record = json_set(record, '$.keys[0].public', '[]')", "keys"),
    "a key's time in words": ("oauth_mw_key_set SET record = json_set(record, '$.keys[0].signs_from', 'soon')", "keys"),
    "no keys": ("oauth_mw_key_set SET record = ''", "keys"),
}


@pytest.mark.parametrize(("damage", "request_"), OUTAGES.values(), ids=OUTAGES)
def test_a_damaged_row_is_503_with_retry_after(whole, damaged, damage, request_):
    url = damaged(f"UPDATE {damage}")

    with closing(open_store(url)) as store:
        answer = dict(requests(store, whole[2]))[request_]

    assert (answer.status_int, answer.headers.get("Retry-After")) == (503, "1")


def test_a_store_that_lost_its_own_row_is_503(whole, damaged):
    with closing(open_store(damaged("SELECT 1"))) as store:
        with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as database, database:
            database.execute("DELETE FROM oauth_mw_store")
        answers = dict(requests(store, whole[2]))

    assert {answer.status_int for answer in answers.values()} == {503}


def test_what_is_not_utf8_is_not_logged(damaged, caplog):
    url = damaged("UPDATE oauth_mw_key_set SET record = CAST(record || x'ff' AS TEXT)")

    with closing(open_store(url)) as store, pytest.raises(StoreUnavailable, match="^SQLite: a text is not UTF-8$"):
        store.read_keys()
    assert "PRIVATE KEY" not in caplog.text


def test_a_counter_at_its_highest_value_still_changes(damaged):
    url = damaged("SELECT 1")
    counter = url.removeprefix("sqlite:///") + SUFFIX
    with closing(open_store(url)) as store:
        store.find_client("tester")
        with open(counter, "r+b") as file:
            file.write(b"\xff" * 8)
        before = store.generation()

        end_client(store, "tester")

        assert store.generation() != before
