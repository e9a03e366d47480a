from __future__ import annotations

import json

import pytest

from helpers.support import echo
from helpers.upgrading import fill
from oauth_mw import ConfigError, OAuthMiddleware, open_store

POSTGRES = pytest.mark.parametrize("store_kind", ["postgresql"])
COMMANDS = [
    ("client", "list"),
    ("client", "add", "name"),
    ("secret", "add", "plain"),
    ("token", "revoke-all", "plain"),
    ("key", "list"),
    ("store", "info"),
    ("purge",),
]


@pytest.fixture
def url(store_url):
    """The URL of a store of schema 2."""
    fill(store_url)
    return store_url


def test_it_says_what_it_did_and_where_the_copy_is(cli, url, tmp_path):
    done = cli("store", "upgrade")

    (copy,) = tmp_path.glob("oauth.db.before-upgrade-*")
    assert (done.exit_code, done.stdout) == (0, f"upgraded {url}\nkept a copy of it as it was: {copy}\n")
    assert cli("client", "list").exit_code == 0


def test_an_upgraded_store_is_up_to_date(cli, url, tmp_path):
    cli("store", "upgrade")

    done = cli("store", "upgrade")

    assert (done.exit_code, done.stdout) == (0, f"{url} is up to date\n")
    assert len([*tmp_path.glob("oauth.db.before-upgrade-*")]) == 1


def test_scripts_learn_the_same(cli, url, tmp_path):
    said = [json.loads(cli("store", "upgrade", "--json").stdout) for _ in range(2)]

    (copy,) = tmp_path.glob("oauth.db.before-upgrade-*")
    assert said == [
        {"store": url, "upgraded": True, "copy": str(copy)},
        {"store": url, "upgraded": False, "copy": None},
    ]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_other_command_names_this_one(cli, url, words):
    done = cli(*words)

    assert done.exit_code == 2
    assert "has schema version 2, this oauth_mw knows 3: stop all workers that use it, then run" in done.stderr
    assert "store upgrade`" in done.stderr


def test_the_check_of_a_configuration_names_it(cli, url, tmp_path):
    ini = tmp_path / "app.ini"
    ini.write_text(f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {url}\n")

    done = cli("check", str(ini), store=None)

    assert done.exit_code == 2
    assert "store upgrade`" in done.stderr


def test_a_copy_from_an_old_store_names_this_command(cli, url, tmp_path):
    done = cli("store", "copy", url, f"sqlite:///{tmp_path}/copy.db")

    assert (done.exit_code, done.stderr.startswith("Error: FROM: ")) == (2, True)
    assert "store upgrade`" in done.stderr


def test_a_middleware_refuses_to_start_and_names_the_command(url):
    with pytest.raises(ConfigError, match="schema version 2, this oauth_mw knows 3: .* store upgrade`"):
        OAuthMiddleware(echo, store=url)


@POSTGRES
@pytest.mark.parametrize("input", ["n\n", ""])
def test_without_a_copy_it_asks_first(cli, url, input):
    done = cli("store", "upgrade", input=input)

    assert done.exit_code == 1
    assert "Is there a backup, and are all processes that use it stopped?" in done.stderr
    with pytest.raises(ConfigError, match="schema version 2"):
        open_store(url)


@pytest.mark.parametrize(
    ("store_kind", "words", "input"),
    [("postgresql", (), "y\n"), ("postgresql", ("--yes",), ""), ("redis", ("--yes",), "")],
)
def test_once_it_is_confirmed_it_goes_on(cli, url, words, input):
    done = cli("store", "upgrade", *words, input=input)

    assert (done.exit_code, done.stdout.splitlines()[-1].startswith("upgraded ")) == (0, True)
    assert cli("client", "list").exit_code == 0


def test_what_is_no_old_store_is_refused(cli, url, tmp_path):
    memory = cli("store", "upgrade", store="memory://")
    missing = cli("store", "upgrade", store=f"sqlite:///{tmp_path}/missing.db")

    assert (memory.exit_code, missing.exit_code) == (2, 2)
    assert "memory:// is lost when the command ends" in memory.stderr
    assert "there is no store at" in missing.stderr
