"""``oauth-mw check`` of stores that are servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing

import pytest

from helpers import postgres_raw, redis_raw
from helpers.store_urls import NAMED_BY
from oauth_mw import open_store

SERVERS = pytest.mark.parametrize("store_kind", ["postgresql", "redis"])
PREFIXES = {"postgresql": "postgresql+psycopg://", "redis": "redis://"}


def refused(answer):
    """The one line that says why."""
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: store: ") and answer.stderr.count("\n") == 1
    return answer.stderr


@SERVERS
def test_a_store_that_is_missing_is_a_warning_and_is_not_made(check, store_url, store_kind):
    answers = [check(store=store_url.replace("%", "%%")), check(store=store_url.replace("%", "%%"))]

    assert [answer.exit_code for answer in answers] == [0, 0]
    assert all("holds no oauth_mw store" in answer.stdout for answer in answers)
    assert PREFIXES[store_kind] in answers[0].stdout


@SERVERS
def test_a_store_that_is_there_is_named_and_a_server_that_would_forget_a_warning(check, store_url, store_kind):
    open_store(store_url, create=True).close()

    answer = check(store=store_url.replace("%", "%%"))

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert PREFIXES[store_kind] in answer.stdout and "holds no" not in answer.stdout
    if not os.environ.get(NAMED_BY[store_kind]):  # how a server that was named keeps its data is its owner's to say
        off = {"postgresql": "PostgreSQL has fsync", "redis": "Redis has appendonly"}[store_kind]
        assert f"warning: store: {off} off: a crash" in answer.stdout


def test_a_schema_in_which_all_roles_may_create_is_a_warning(check, postgres_url):
    open_store(postgres_url, create=True).close()
    with postgres_raw.Raw(postgres_url) as raw:
        (schema,) = raw("SELECT current_schema()")
        raw(f"GRANT CREATE ON SCHEMA {schema} TO PUBLIC")

    assert (
        f"warning: store: other roles may create in the schema {schema} (PUBLIC): revoke"
        in check(store=postgres_url.replace("%", "%%")).stdout
    )


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:hidden@127.0.0.1:1/db?password=hidden", "redis://me:hidden@127.0.0.1:1/0"]
)
def test_a_server_that_does_not_answer_fails_in_one_line_without_the_password(check, url):
    answer = check("store_timeout_seconds = 1", store=url)

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
    answer = check(store=url)

    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: store: ") and says in answer.stderr


def newer(url, store_kind):
    open_store(url, create=True).close()
    if store_kind == "redis":
        raw = redis_raw.Raw(url)
        raw.client.hincrby(raw.key("store"), "version", 1)
        raw.close()
    else:
        with postgres_raw.Raw(url) as raw:
            raw("UPDATE oauth_mw_store SET version = version + 1")


@SERVERS
def test_a_store_of_newer_code_is_refused_with_both_versions(check, store_url, store_kind):
    newer(store_url, store_kind)

    versions = re.search(
        "has schema version (.), this oauth_mw knows (.): upgrade oauth_mw\n",
        refused(check(store=store_url.replace("%", "%%"))),
    )

    assert versions and int(versions[1]) == int(versions[2]) + 1


OLD = {
    "postgresql": (
        "oauth_mw.stores.sql.postgresql.engine.OLDEST",
        99,
        "is an older PostgreSQL than 99: upgrade PostgreSQL",
    ),
    "redis": ("oauth_mw.stores.redis.network.checks.OLDEST", (99, 0), ": 99.0 is needed"),
}


@SERVERS
def test_too_old_a_server_is_refused(check, store_url, store_kind, monkeypatch):
    name, oldest, says = OLD[store_kind]
    monkeypatch.setattr(name, oldest)

    assert refused(check(store=store_url.replace("%", "%%"))).endswith(f"{says}\n")


@pytest.mark.parametrize("create", [False, True], ids=["where nothing of ours is", "where our store was"])
def test_keys_of_something_else_are_refused_and_left(check, redis_url, create):
    if create:
        open_store(redis_url, create=True).close()
    with closing(redis_raw.Raw(redis_url)) as raw:
        raw.client.delete(raw.key("store"))
        raw.client.set(raw.key("theirs"), "x")
        before = raw.contents()

        assert "holds keys of something else" in refused(check(store=redis_url.replace("%", "%%")))
        assert raw.contents() == before


def test_a_table_of_something_else_is_refused_and_nothing_is_made(check, postgres_url):
    with postgres_raw.Raw(postgres_url) as raw:
        raw("CREATE TABLE oauth_mw_store (theirs integer)")

        assert "column oauth_mw_store.version does not exist" in refused(check(store=postgres_url.replace("%", "%%")))
        assert raw("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()") == ["oauth_mw_store"]


DRIVERS = {"postgresql": ("psycopg", "postgres"), "redis": ("redis", "redis")}


@pytest.mark.parametrize("kind", DRIVERS)
def test_without_the_driver_the_extra_is_named(tmp_path, kind):
    module, extra = DRIVERS[kind]
    ini = tmp_path / "app.ini"
    ini.write_text(f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {PREFIXES[kind]}h/0\n")
    code = f"import sys; sys.modules['{module}'] = None; from oauth_mw.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", code, "check", ini], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Error: store: ") and f"pip install 'oauth_mw[{extra}]'" in done.stderr
