from __future__ import annotations

import json
import time

import pytest
from webtest import TestApp

from helpers.support import bearer, created, echo
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.model import Sizes


@pytest.fixture
def other(tmp_path):
    return f"sqlite:///{tmp_path}/other.db"


@pytest.fixture
def copied(cli, url, other, token):
    """A copy of the store with the token."""
    return cli("store", "copy", url, other, store=None)


def counts(text):
    """The table of a copy: what was copied, and what was present before."""
    return {tuple(line.split()[:-2]): [int(count) for count in line.split()[-2:]] for line in text.splitlines()[2:]}


def test_a_copy_is_made_and_says_where_and_what_it_moved(copied, url, other, token):
    assert (copied.exit_code, copied.stderr) == (0, created(other))
    assert copied.stdout.splitlines()[0] == f"copied {url} to {other}"
    moved = {("clients",): 1, ("secrets",): 1, ("deleted", "ids"): 0, ("tokens",): 1, ("log", "entries"): 0}
    assert counts(copied.stdout) == {name: [count, 0] for name, count in {**moved, ("signing", "keys"): 0}.items()}
    app = TestApp(OAuthMiddleware(echo, store=other))
    assert app.get("/", headers=bearer(token), status=200).text == "MARKER tester read write"


def test_another_copy_brings_what_has_changed_if_anything(cli, copied, url, other, token):
    again = cli("store", "copy", url, other, store=None)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[0] == f"{other} had all of {url} already"
    assert counts(again.stdout)[("tokens",)] == [0, 1]

    cli("token", "revoke-all", "tester")
    again = cli("store", "copy", url, other, store=None)

    assert counts(again.stdout)[("log", "entries")] == [1, 0]
    TestApp(OAuthMiddleware(echo, store=other)).get("/", headers=bearer(token), status=401)


def test_scripts_are_given_the_same_whatever_store_is_in_the_environment(printed, url, other, token, monkeypatch):
    monkeypatch.setenv("OAUTH_MW_STORE", "sqlite:///nowhere.db")
    moved = {"clients": 1, "secrets": 1, "deleted_ids": 0, "tokens": 1, "log_entries": 0, "signing_keys": 0}

    assert printed("store", "copy", url, other, store=None) == {
        "from": url, "to": other, "changed": True, **{name: {"moved": each, "there": 0} for name, each in moved.items()}
    }  # fmt: skip


def test_a_missing_source_is_refused_and_nothing_is_made(cli, url, other, tmp_path):
    answer = cli("store", "copy", url, other, store=None)

    assert answer.exit_code == 2
    assert answer.stderr == f"Error: FROM: there is no store at {url}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_copied_neither_onto_itself_nor_onto_one_in_use(cli, url, other, registered):
    cli("client", "add", "mine", store=other)

    itself, in_use = (cli("store", "copy", url, target, store=None) for target in (url, other))

    assert (itself.exit_code, itself.stderr) == (1, f"Error: {url} and {url} are the same store\n")
    says = f"Error: {other} is not empty, and not an unchanged copy of this store: nothing can be copied into it\n"
    assert (in_use.exit_code, in_use.stderr) == (1, says)


WRONG = [
    ("FROM", "memory://", 2, "memory:// is lost when the command ends"),
    ("TO", "memory://", 2, "memory:// is lost when the command ends"),
    ("TO", "mysql://u:hidden@h/db", 2, "mysql://h/db"),
    ("FROM", "postgresql+psycopg://u:hidden@127.0.0.1:1/db", 4, "PostgreSQL"),
    ("TO", "redis://u:hidden@127.0.0.1:1/0", 4, "Redis"),
    ("FROM", "", 2, "sqlite:///file"),
]


@pytest.mark.parametrize(("place", "wrong", "exit_code", "says"), WRONG)
def test_a_url_that_does_not_work_is_named_by_its_place_without_its_password(
    cli, url, registered, place, wrong, exit_code, says
):
    answer = cli("store", "copy", *((wrong, url) if place == "FROM" else (url, wrong)), store=None)

    assert answer.exit_code == exit_code
    assert f"{place}: " in answer.stderr and says in answer.stderr and len(answer.stderr.splitlines()) == 1
    assert "hidden" not in answer.output


def test_a_bar_shows_on_a_terminal_only(on_terminal, url, other, token):
    """The cli fixture is no terminal; here is one."""
    exit_code, shown, output = on_terminal("store", "copy", url, other, "--json")

    assert exit_code == 0
    assert b"copying tokens" in shown and b"100%" in shown
    assert json.loads(output)["tokens"] == {"moved": 1, "there": 0}


# store info


@pytest.fixture
def used(opened, token):
    """A store with a bit of everything."""
    for client_id in ("off", "gone"):
        admin.add_client(opened, client_id, client_id=client_id)
    admin.disable_client(opened, "off")
    admin.delete_client(opened, "gone")
    client = opened.find_client("tester")
    record = opened.find_token(admin.token_key(token))
    opened.add_token((int(time.time()) - 5).to_bytes(4) + bytes(28), record._replace(position=client.revoked_before))
    return opened


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
def test_info_is_the_same_for_each_kind_and_shows_no_password(cli, used, url, kind, request):
    if kind != "sqlite":
        there = request.getfixturevalue({"postgresql": "postgres_url", "redis": "redis_url"}[kind])
        there = there.replace("tests@", "tests:hidden@", 1)
        copied = cli("store", "copy", url, there, store=None)
        assert (copied.exit_code, "hidden" in copied.output) == (0, False)
        url = there
    answer = cli("store", "info", "--json", store=url)
    found = json.loads(answer.stdout)
    assert "hidden" not in answer.output
    assert (found["store"], type(found["schema_version"])) == (open_store(url).url, int)
    assert found["engine"] == {"sqlite": "SQLite", "postgresql": "PostgreSQL", "redis": "Redis"}[kind]
    assert found["engine_version"][0].isdigit()
    assert found["store_id"] == open_store(url).copyable().log_state().store_id
    assert found["log_position"] == used.copyable().log_state().position
    assert abs(found["log_time"] - time.time()) < 60
    assert (found["clients"], found["secrets"]) == ({"enabled": 1, "disabled": 1, "deleted": 1}, 2)
    assert found["signing_keys"] == 0
    assert (found["tokens"]["unexpired"], found["log_entries"]) == (1, 2)
    assert found["size"] is None if kind == "redis" else found["size"] > 10_000


def test_info_shows_people_what_is_in_a_store(cli, used, url):
    lines = dict(line.split("  ", 1) for line in cli("store", "info").stdout.splitlines())
    wanted = {
        "store": url,
        "clients": "1 enabled, 1 disabled, 1 deleted",
        "secrets": "2",
        "signing keys": "0",
        "tokens": "1 unexpired, 1 expired and not yet swept",
        "log entries": "2",
    }

    assert {name: lines[name].strip() for name in wanted} == wanted
    assert lines["engine"].strip().startswith("SQLite 3.")


def test_more_tokens_are_counted_than_one_statement_counts(url, opened, token):
    record = opened.find_token(admin.token_key(token))
    for number in range(7):
        opened.add_token((2**32 - 1).to_bytes(4) + number.to_bytes(28), record)

    assert open_store(url, sizes=Sizes(counted=3)).stats(int(time.time())).unexpired == 8
