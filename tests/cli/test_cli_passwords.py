"""The passwords of a copy are never needed on the command line."""

from __future__ import annotations

import re

import pytest
import redis

PASSWORD = "p@ss:w/rd ?%#"


@pytest.fixture
def closed_url(redis_url):
    """The URL of a store of a user that has a password, without the password."""
    server = redis.Redis.from_url(redis_url.partition("?")[0])
    server.acl_setuser("copier", enabled=True, passwords=[f"+{PASSWORD}"], keys="*", channels="*", categories=["+@all"])
    yield re.sub("//(?:[^/@]*@)?", "//copier@", redis_url, count=1)
    server.acl_deluser("copier")
    server.close()


@pytest.mark.parametrize("asked", [[], ["--to-password"]], ids=["not asked", "asked without a terminal"])
def test_a_password_is_taken_from_the_environment(cli, registered, url, closed_url, monkeypatch, asked):
    without = cli("store", "copy", url, closed_url, store=None)
    monkeypatch.setenv("OAUTH_MW_TO_PASSWORD", PASSWORD)
    there = cli("store", "copy", url, closed_url, *asked, store=None)
    monkeypatch.delenv("OAUTH_MW_TO_PASSWORD")
    monkeypatch.setenv("OAUTH_MW_FROM_PASSWORD", PASSWORD)
    back = cli("store", "copy", closed_url, f"{url}-back", store=None)

    assert [each.exit_code for each in (without, there, back)] == [4, 0, 0]
    assert PASSWORD not in there.output + back.output


def test_a_password_is_prompted_for_and_not_shown(on_terminal, registered, url, closed_url):
    answers = [(b"Password of TO: ", PASSWORD)]

    exit_code, shown, output = on_terminal("store", "copy", url, closed_url, "--to-password", answers=answers)

    assert (exit_code, output.startswith("copied ")) == (0, True)
    assert PASSWORD.encode() not in shown


WRONG = {
    "no terminal": ("redis://h/0", ["--to-password"], None, "needs a terminal: set OAUTH_MW_TO_PASSWORD instead"),
    "two passwords": ("redis://u:hidden@h/0", [], PASSWORD, "Error: TO: the URL has a password already"),
    "a file": ("sqlite:///x.db", [], PASSWORD, "Error: TO: a store of this kind has no password"),
}


@pytest.mark.parametrize(("to", "words", "password", "says"), WRONG.values(), ids=WRONG)
def test_a_password_that_cannot_be_used_is_refused(cli, registered, url, monkeypatch, to, words, password, says):
    if password:
        monkeypatch.setenv("OAUTH_MW_TO_PASSWORD", password)

    answer = cli("store", "copy", url, to, *words, store=None)

    assert (answer.exit_code, says in answer.stderr) == (2, True)
    assert PASSWORD not in answer.output and "hidden" not in answer.output
