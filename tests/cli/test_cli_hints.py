"""An error says what to do."""

from __future__ import annotations

import sys

import pytest

FILES = {
    "oauth.db": "sqlite:///oauth.db",
    "/srv/oauth.db": "sqlite:////srv/oauth.db",
    "sqlite:oauth.db": "sqlite:///oauth.db",
    "sqlite:/srv/oauth.db": "sqlite:////srv/oauth.db",
    "sqlite://oauth.db": "sqlite:///oauth.db",
}


@pytest.mark.parametrize(("typed", "meant"), FILES.items())
def test_a_file_in_the_place_of_a_url_is_shown_as_a_url(cli, typed, meant):
    answer = cli("client", "list", store=typed)

    assert answer.exit_code == 2
    assert answer.stderr == f"Error: store: {typed!r} is not a URL: did you mean {meant}?\n"


def test_a_file_is_shown_as_a_url_by_every_command_that_takes_one(cli, url, write):
    write("", {"hinted.py": "app = print"})

    copied = cli("store", "copy", "oauth.db", url, store=None)
    served = cli("serve", "hinted:app", "--store", "oauth.db", store=None)

    assert copied.stderr == "Error: FROM: 'oauth.db' is not a URL: did you mean sqlite:///oauth.db?\n"
    assert served.stderr == "Error: store: 'oauth.db' is not a URL: did you mean sqlite:///oauth.db?\n"


@pytest.mark.parametrize("url", ["oauth.db?password=hidden", "u:hidden@h/db", "postgres:u:hidden@h/db"])
def test_what_may_hold_a_password_is_not_shown_as_a_file(cli, url):
    answer = cli("client", "list", store=url)

    assert (answer.exit_code, "hidden" in answer.output, "did you mean" in answer.output) == (2, False, False)


@pytest.mark.parametrize("typed", ["", "n\n"])
def test_a_question_that_no_person_answers_names_the_option(cli, registered, typed):
    answer = cli("client", "delete", "tester", input=typed)

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1] == "Error: not confirmed: --yes skips the question"


def test_a_person_that_says_no_is_given_no_hint(on_terminal, registered):
    exit_code, shown, _ = on_terminal("client", "delete", "tester", answers=[(b"[y/N]", "n")])

    assert (exit_code, b"--yes" in shown) == (1, False)


def test_a_weak_secret_names_the_option(cli):
    answer = cli("client", "add", "old", "--secret-file", "-", input="hunter2")

    assert (answer.exit_code, "(--allow-weak-secret accepts it)" in answer.stderr) == (1, True)


TYPED = {
    "clinet list": "No such command 'clinet'. Did you mean 'client'?",
    "client lst": "No such command 'lst'. Did you mean 'list'?",
    "nothing": "No such command 'nothing'.",
}


@pytest.mark.parametrize(("words", "says"), TYPED.items(), ids=TYPED)
def test_a_command_that_is_mistyped_is_named(cli, words, says):
    answer = cli(*words.split())

    assert (answer.exit_code, answer.stderr.splitlines()[-1]) == (2, f"Error: {says}")


@pytest.mark.parametrize("typed", ["hello", "hello.py", "package", "app.ini#oauth"])
@pytest.mark.parametrize("words", [("check",), ("client", "list", "--config")], ids=["check", "--config"])
def test_what_is_no_ini_is_not_taken_for_one(cli, tmp_path, monkeypatch, words, typed):
    (tmp_path / "hello.py").write_text("app = print")
    (tmp_path / "package").mkdir()
    monkeypatch.setitem(sys.modules, "paste.deploy", None)

    answer = cli(*words, typed, store=None)

    named = typed.partition("#")[0]
    wanted = f"Error: {named}: is no ini: name a file, or an app as MODULE:APP, such as hello:app\n"
    assert (answer.exit_code, answer.stderr) == (2, wanted)
