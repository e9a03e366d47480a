from __future__ import annotations

import fcntl

import click
import pytest

from helpers.processes import exit_code_of, forked
from helpers.support import created
from oauth_mw.cli import main

INI = """
[filter:oauth]
use = egg:oauth_mw
store = sqlite:///from-ini.db
store_timeout_seconds = 0.2
"""


LINES = ["client list", "client show x", "client update x --name y", "client disable x", "client enable x", "purge"]
LINES += ["client delete x --yes", "secret add x", "secret list x", "secret revoke x y", "token revoke-all x"]
LINES += ["store info", "key rotate", "key list", "key export", "key retire x --yes"]
LINES += [f"token {verb} {'0' * 64}" for verb in ("inspect", "revoke")]
EXISTING_ONLY = [line.split() for line in LINES]


@pytest.fixture
def ini(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "app.ini").write_text(INI)
    return folder / "app.ini"


@pytest.mark.parametrize("words", EXISTING_ONLY, ids=" ".join)
def test_a_store_that_is_not_there_is_refused_and_not_made(cli, tmp_path, words):
    answer = cli(*words)

    assert answer.exit_code == 2
    assert answer.stderr == f"Error: store: there is no store at sqlite:///{tmp_path}/oauth.db\n"
    assert list(tmp_path.iterdir()) == []


WITH_ID = "client show {}, client disable {}, client enable {}, client delete --yes {}, client update --name x {}, "
WITH_ID += "secret add {}, secret list {}, secret revoke {} 0, secret revoke tester {}, token revoke-all {}, "
WITH_ID += "key retire --yes {}, key export -- {}"


@pytest.mark.parametrize("words", [each.split() for each in WITH_ID.split(", ")], ids=" ".join)
def test_what_is_not_in_the_store_is_not_found(cli, registered, words):
    for name in ("unknown", "\udcff", "no\nbody", "n\0pe", *["-nope"] * (words[0] == "key")):
        answer = cli(*(word.format(name) for word in words))

        assert (answer.exit_code, answer.stderr.count("\n")) == (3, 1), name


WRONG = "key rotate --secret x, key retire, key retire x --json, key import, "
WRONG += "store copy, store copy sqlite:///x.db, store info x"


@pytest.mark.parametrize("words", [each.split() for each in WRONG.split(", ")], ids=" ".join)
def test_wrong_usage_is_refused(cli, registered, words):
    answer = cli(*words)

    assert (answer.exit_code, answer.stderr.startswith("Usage: ")) == (2, True)


def test_client_add_makes_a_store_and_says_where(cli, tmp_path):
    answer = cli("client", "add", "x", store="sqlite:///relative.db")

    assert answer.stderr.startswith(created(f"sqlite:///{tmp_path}/relative.db"))
    assert "created" not in cli("client", "add", "y", store="sqlite:///relative.db").stderr
    assert (tmp_path / "relative.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [["client", "add", "x"], ["client", "list"], ["store", "upgrade"]], ids=" ".join)
def test_a_store_in_memory_is_refused(cli, words):
    answer = cli(*words, store="memory://")

    assert answer.exit_code == 2
    assert "memory:// is lost when the command ends" in answer.stderr


def test_a_typed_store_goes_before_the_ini_and_that_before_the_environment(cli, ini, registered, url, monkeypatch):
    none = cli("client", "list", store=None)
    monkeypatch.setenv("OAUTH_MW_STORE", url)

    assert none.exit_code == 2
    assert all(each in none.stderr for each in ("--store", "--config", "OAUTH_MW_STORE"))
    assert cli("client", "show", "tester", store=None).exit_code == 0
    assert "from-ini.db" in cli("--config", str(ini), "client", "list", store=None).stderr
    assert cli("--config", str(ini), "client", "show", "tester").exit_code == 0
    made = cli("--config", str(ini), "client", "add", "x", store=None)
    assert made.stderr.startswith(created(f"sqlite:///{ini.parent}/from-ini.db"))


def test_a_fault_of_the_ini_names_the_option(cli, ini):
    ini.write_text(INI + "cache_sise = 5\n")

    answer = cli("--config", str(ini), "client", "list", store=None)

    assert answer.exit_code == 2
    assert answer.stderr == "Error: cache_sise: unknown option, did you mean cache_size?\n"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hidden@h/db", "mysql://h/db"),
        ("sqlite://", "sqlite:///file"),
        ("sqlite:///oauth.db?mode=ro", "expected sqlite:///file"),
        ("sqlite:///no/oauth.db", "/no does not exist"),
        ("nothing", "sqlite:///file, postgresql+psycopg://"),
        ("postgresql+asyncpg://u:hidden@h/db", "postgresql+psycopg://"),
        ("postgresql+psycopg://u:hidden@h/db?nonsense=1", "//u:***@h/db: invalid connection option"),
        ("postgresql+psycopg://u:hidden@h:port/db", "expected postgresql+psycopg://"),
    ],
)
def test_a_url_that_cannot_work_is_refused_without_its_password(cli, url, says):
    answer = cli("client", "add", "x", store=url)

    assert answer.exit_code == 2
    assert says in answer.stderr and "hidden" not in answer.stderr


def test_a_file_that_is_no_database_is_refused_and_left_alone(cli, tmp_path):
    (tmp_path / "oauth.db").write_text("something else, longer than a header of a hundred bytes" * 3)

    answer = cli("client", "add", "x")

    assert answer.exit_code == 2
    assert "is not an SQLite database" in answer.stderr
    assert (tmp_path / "oauth.db").read_text().startswith("something else")


def test_a_store_that_does_not_answer_is_unavailable(cli, ini):
    cli("--config", str(ini), "client", "add", "x", store=None)

    def refused():
        answer = cli("--config", str(ini), "client", "add", "y", store=None)
        why = "the SQLite write lock was not acquired within 0.2 s: another process holds it"
        return (answer.exit_code, answer.stderr) == (4, f"Error: the store does not answer: {why}\n")

    with open(ini.parent / "from-ini.db-oauth_mw", "r+b") as counter:
        fcntl.lockf(counter, fcntl.LOCK_EX)
        assert exit_code_of(forked(refused)) == 0


def test_help_has_the_exit_codes(cli):
    shown = cli("--help").stdout

    assert [line.split()[0] for line in shown.split("Exit codes:")[1].splitlines()[1:6]] == ["0", "1", "2", "3", "4"]


def every_command(group=main, *words):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, *words, name)
        else:
            yield [*words, name]


def test_each_command_has_an_answer_for_scripts(cli):
    """What top shows, report --json prints."""
    assert [words for words in every_command() if "--json" not in cli(*words, "--help").stdout] == [["top"]]
