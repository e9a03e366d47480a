from __future__ import annotations

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


def test_it_says_what_it_did_and_where_the_copy_is_once(cli, url, tmp_path):
    done, again = (cli("store", "upgrade") for _ in range(2))

    (copy,) = tmp_path.glob("oauth.db.before-upgrade-*")
    assert (done.exit_code, done.stdout) == (0, f"upgraded {url}\nkept a copy of it as it was: {copy}\n")
    assert (again.exit_code, again.stdout) == (0, f"{url} is up to date\n")
    assert cli("client", "list").exit_code == 0


def test_scripts_learn_the_same(printed, url, tmp_path):
    said = [printed("store", "upgrade") for _ in range(2)]

    (copy,) = tmp_path.glob("oauth.db.before-upgrade-*")
    assert said == [
        {"store": url, "upgraded": True, "copy": str(copy)},
        {"store": url, "upgraded": False, "copy": None},
    ]


def test_every_other_command_and_a_start_name_this_one(cli, url, ini, tmp_path):
    done = [cli(*words) for words in COMMANDS]
    done.append(cli("check", ini(store=url), store=None))
    done.append(cli("store", "copy", url, f"sqlite:///{tmp_path}/copy.db"))

    assert {answer.exit_code for answer in done} == {2}
    says = "has schema version 2, this oauth_mw knows 4: stop all workers that use it, then run"
    assert all(says in answer.stderr and "store upgrade`" in answer.stderr for answer in done)
    assert done[-1].stderr.startswith("Error: FROM: ")
    with pytest.raises(ConfigError, match="schema version 2, this oauth_mw knows 4: .* store upgrade`"):
        OAuthMiddleware(echo, store=url)


@POSTGRES
@pytest.mark.parametrize("input", ["n\n", ""])
def test_without_a_copy_it_prompts_first(cli, url, input):
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


def test_a_missing_store_is_refused(cli, tmp_path):
    missing = cli("store", "upgrade", store=f"sqlite:///{tmp_path}/missing.db")

    assert missing.exit_code == 2
    assert "there is no store at" in missing.stderr
