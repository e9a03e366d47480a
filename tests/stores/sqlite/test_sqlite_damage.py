"""An SQLite store with a damaged row: whatever SQLite's loose typing lets stand there, the answer is no 500."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.changes import end_client
from helpers.damage import OPERATIONS, ask, fill, issued_text, judge_answers, requests
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.stores.sql.sqlite.change_counter import SUFFIX

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
    "an open bracket": "{",
    "a list": '["a"]',
    "many brackets": "[" * 100_000,
    "an object": '{"tier": "gold"}',
    "an infinite attribute": '{"tier": [1e999, true]}',
    "half a character": '{"tier": ["\\ud800", true]}',
    "an attribute of no type": '{"tier": [null, true]}',
    "many digits": '{"tier": [' + "9" * 5000 + ", true]}",
    "a long word": "x" * 100_000,
}
NOT_UTF8 = "CAST(x'616263ff' AS TEXT)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store that is whole, its columns, and a token that was issued from it."""
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
    """Damage one column of all rows of its table, and ask for everything."""
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
        for name in OPERATIONS:
            ask(store, name)


@given(data=st.data())
@settings(max_examples=40)
def test_whatever_stands_in_a_column_is_an_answer_or_an_outage(whole, damaged, data):
    column = data.draw(st.sampled_from(whole[1]))

    judged(whole, damaged, column, data.draw(st.sampled_from([*BAD.values(), NOT_UTF8]) | st.text() | st.binary()))


@pytest.mark.slow
@pytest.mark.parametrize("value", [*BAD.values(), NOT_UTF8], ids=[*BAD, "no UTF-8"])
def test_each_column_with_each_value_is_an_answer_or_an_outage(whole, damaged, value):
    for column in whole[1]:
        judged(whole, damaged, column, value)


OUTAGES = {
    "a scope in bytes": ("oauth_mw_client SET scope = x'72656164'", "token"),
    "a lifetime in words": ("oauth_mw_client SET lifetime = 'an hour'", "token"),
    "a lifetime before now": ("oauth_mw_client SET lifetime = -5", "token"),
    "a format of another version": ("oauth_mw_client SET token_format = 'saml'", "token"),
    "attributes without an end": ("oauth_mw_client SET attributes = '{'", "token"),
    "attributes too deep": (f"oauth_mw_client SET attributes = '{'[' * 100_000}'", "token"),
    "a switch in words": ("oauth_mw_client SET enabled = 'no'", "token"),
    "a name that is not UTF-8": (f"oauth_mw_client SET name = {NOT_UTF8}", "token"),
    "a salt that is a number": ("oauth_mw_secret SET salt = 16", "token"),
    "a time in words": ("oauth_mw_secret SET not_after = 'never'", "token"),
    "a token's scope in bytes": ("oauth_mw_token SET scope = x'72656164'", "guard"),
    "a token's position in words": ("oauth_mw_token SET position = 'head'", "guard"),
    "a mark in words": ("oauth_mw_token SET revoked = 'yes'", "guard"),
    "an end in words": ("oauth_mw_client SET ended = 'now'", "guard"),
    "an event's key in text": ("oauth_mw_log SET key = 'key'", "guard again"),
    "a head in words": ("oauth_mw_store SET position = 'head'", "guard"),
    "a head beyond all numbers": (f"oauth_mw_store SET position = {2**63 - 1}", "revoke"),
    "a floor in words": ("oauth_mw_store SET log_floor = 'floor'", "guard"),
    "a key that is none": ("oauth_mw_signing_key SET public = '[]'", "keys"),
    "a key's time in words": ("oauth_mw_signing_key SET signs_from = 'soon'", "keys"),
}


@pytest.mark.parametrize(("damage", "request_"), OUTAGES.values(), ids=OUTAGES)
def test_a_damaged_row_is_503_with_retry_after(whole, damaged, damage, request_):
    url = damaged(f"UPDATE {damage}")

    with closing(open_store(url)) as store:
        answer = dict(requests(store, whole[2]))[request_]

    assert (answer.status_int, answer.headers.get("Retry-After")) == (503, "1")


def test_the_store_s_own_row_that_goes_is_503(whole, damaged):
    with closing(open_store(damaged("SELECT 1"))) as store:
        with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as database, database:
            database.execute("DELETE FROM oauth_mw_store")
        answers = dict(requests(store, whole[2]))

    assert {answer.status_int for answer in answers.values()} == {503}


def test_what_is_not_utf8_is_not_told_in_the_log(damaged, caplog):
    url = damaged("UPDATE oauth_mw_signing_key SET private = CAST(private || x'ff' AS TEXT)")

    with closing(open_store(url)) as store, pytest.raises(StoreUnavailable, match="^SQLite: a text is not UTF-8$"):
        store.read_keys()
    assert "PRIVATE KEY" not in caplog.text


def test_a_counter_at_its_end_goes_on(damaged):
    url = damaged("SELECT 1")
    counter = url.removeprefix("sqlite:///") + SUFFIX
    with closing(open_store(url)) as store:
        store.find_client("tester")
        with open(counter, "r+b") as file:
            file.write(b"\xff" * 8)
        before = store.generation()

        end_client(store, "tester")

        assert store.generation() != before
