"""``oauth-mw check`` of stores that are servers."""

from __future__ import annotations

import os

import pytest
from places import NAMED_BY

from oauth_mw import open_store

SERVERS = pytest.mark.parametrize("store_kind", ["postgresql", "redis"])
PREFIXES = {"postgresql": "postgresql+psycopg://", "redis": "redis://"}


@pytest.fixture
def check(cli, tmp_path):
    def run(url, *more):
        option = url.replace("%", "%%")
        (tmp_path / "app.ini").write_text(f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {option}\n" + "\n".join(more))
        return cli("check", "app.ini", store=None)

    return run


@SERVERS
def test_a_store_that_is_missing_is_a_warning_and_is_not_made(check, store_url, store_kind):
    answers = [check(store_url), check(store_url)]

    assert [answer.exit_code for answer in answers] == [0, 0]
    assert all("holds no oauth_mw store" in answer.stdout for answer in answers)
    assert PREFIXES[store_kind] in answers[0].stdout


@SERVERS
def test_a_store_that_is_there_is_named(check, store_url, store_kind):
    open_store(store_url, create=True).close()

    answer = check(store_url)

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert PREFIXES[store_kind] in answer.stdout and "holds no" not in answer.stdout


@SERVERS
def test_a_server_that_would_forget_is_a_warning(check, store_url, store_kind):
    if os.environ.get(NAMED_BY[store_kind]):
        pytest.skip("how a server that was named keeps its data is its owner's to say")
    open_store(store_url, create=True).close()

    off = {"postgresql": "PostgreSQL has fsync", "redis": "Redis has appendonly"}[store_kind]
    assert f"warning: store: {off} off: a crash" in check(store_url).stdout


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:hidden@127.0.0.1:1/db?password=hidden", "redis://me:hidden@127.0.0.1:1/0"]
)
def test_a_server_that_does_not_answer_fails_in_one_line_without_the_password(check, url):
    answer = check(url, "store_timeout_seconds = 1")

    assert answer.exit_code != 0
    assert answer.stderr.count("\n") == 1 and "hidden" not in answer.output


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://h/db?nonsense=1", "invalid connection option"),
        ("redis://h/0?nonsense=1", "unknown option"),
        ("redis://h/0?prefix={x}", "a prefix has"),
    ],
)
def test_a_url_that_cannot_work_names_the_option(check, url, says):
    answer = check(url)

    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: store: ") and says in answer.stderr
