"""Options that every command takes."""

from __future__ import annotations

import click
import pytest

from oauth_mw.cli import COMMANDS, main


@pytest.mark.parametrize("place", [1, 2])
def test_the_store_may_follow_the_command(cli, registered, url, place):
    words = ["client", "list"]
    words[place:place] = ["--store", url]

    answer = cli(*words, store=None)

    assert (answer.exit_code, "tester" in answer.stdout) == (0, True)


def test_the_store_after_the_command_is_the_one_that_counts(cli, registered, url):
    answer = cli("client", "list", "--store", url, store="sqlite:///nowhere.db")

    assert (answer.exit_code, "tester" in answer.stdout) == (0, True)


def test_the_ini_and_its_variables_may_follow_the_command(cli, registered, ini):
    config = ini(store="sqlite:///%(here)s/%(name)s.db")

    answer = cli("client", "list", "--config", config, "--set", "name=oauth", store=None)

    assert (answer.exit_code, "tester" in answer.stdout) == (0, True)


def test_a_variable_without_a_value_is_wrong_usage_after_the_command_too(cli, registered, ini):
    answer = cli("client", "list", "--config", ini(), "--set", "name", store=None)

    assert (answer.exit_code, "expected NAME=VALUE" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    "words", ["client list --store memory://", "check hello:app", "explain GET / --config hello:app"]
)
def test_variables_without_an_ini_are_refused(cli, words):
    answer = cli(*words.split(), "--set", "name=oauth", store=None)

    assert answer.stderr == "Error: --set: sets variables of an ini: name one by --config\n"


def test_an_ini_may_be_checked_by_the_option(cli, ini):
    assert cli("check", "--config", ini(), store=None).exit_code == 0


@pytest.mark.parametrize("words", ["", "client", "client add", "token inspect", "check", "serve"])
def test_h_is_help(cli, words):
    answer = cli(*words.split(), "-h", store=None)

    assert (answer.exit_code, answer.stdout) == (0, cli(*words.split(), "--help", store=None).stdout)


# What may be a token or a key, and has the letter of the option.
DASHED = [("token inspect", 2), ("token revoke", 2), ("key retire --yes", 3), ("key export", 3)]


@pytest.mark.parametrize(("words", "exit_code"), DASHED)
def test_no_help_is_found_inside_an_argument(cli, registered, words, exit_code):
    assert cli(*words.split(), "-abch").exit_code == exit_code


def test_the_help_of_the_root_says_of_each_command_what_its_own_help_says():
    context = click.Context(main)

    for name in main.list_commands(context):
        own = main.get_command(context, name).get_short_help_str(limit=200)
        assert own.rstrip(".") == COMMANDS[name][1].rstrip(".")
