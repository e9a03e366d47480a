from __future__ import annotations

import json
import sqlite3
import time

import pytest

from oauth_mw.admin.tokens import PURGE_ROWS
from oauth_mw.cli.token import LONG_WORK
from oauth_mw.stores.sql.store import SQLStore

OLD = int(time.time()) - 600


@pytest.fixture
def old_tokens(opened, tmp_path):
    """Put expired tokens into the store, as many as asked."""

    def put(count):
        with sqlite3.connect(tmp_path / "oauth.db") as database:
            rows = [(OLD.to_bytes(4) + number.to_bytes(28), 1, "", 1, 0, False) for number in range(count)]
            columns = "key, client, scope, issued_at, position, revoked"
            database.executemany(f"insert into oauth_mw_tokens ({columns}) values (?, ?, ?, ?, ?, ?)", rows)
        database.close()

    return put


def test_purge_removes_what_expired_and_keeps_what_lives(cli, opened, old_tokens, token):
    old_tokens(1201)

    answer = cli("purge")

    assert answer.stdout == "removed 1201 expired tokens\n"
    assert opened.count_tokens() == 1


def test_long_work_shows_a_bar_beside_the_answer(cli, old_tokens):
    old_tokens(LONG_WORK + PURGE_ROWS)

    answer = cli("purge", "--json")

    assert "purging" in answer.stderr
    assert json.loads(answer.stdout) == {"removed": LONG_WORK + PURGE_ROWS}


@pytest.mark.parametrize("count", [0, PURGE_ROWS - 1])
def test_short_work_counts_nothing_and_shows_no_bar(cli, old_tokens, monkeypatch, count):
    old_tokens(count)
    monkeypatch.setattr(SQLStore, "count_tokens", lambda store, before=None: 1 / 0)

    answer = cli("purge", "--json")

    assert (json.loads(answer.stdout), answer.stderr) == ({"removed": count}, "")
