"""The shell completes commands and options."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from helpers.pages import fence
from oauth_mw.cli import main

LINES_OF_SHELLS = fence("examples/operating/README.md", "sh")
SHELLS = re.findall(r"_OAUTH_MW_COMPLETE=(\w+)_source oauth-mw", LINES_OF_SHELLS)


@pytest.fixture
def completed():
    """What the program prints in the place of a call, with these variables of the shell."""
    return lambda **environ: CliRunner().invoke(main, [], env=environ, prog_name="oauth-mw").output


def test_the_page_names_the_shells():
    assert SHELLS == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_is_given_a_function(completed, shell):
    assert f"_OAUTH_MW_COMPLETE={shell}_complete" in completed(_OAUTH_MW_COMPLETE=f"{shell}_source")


LINES = {
    "oauth-mw cl": {"client"},
    "oauth-mw client d": {"disable", "delete"},
    "oauth-mw --store sqlite:///oauth.db secret re": {"revoke"},
    "oauth-mw store copy --to": {"--to-password"},
    "oauth-mw client list --sto": {"--store"},
    "oauth-mw client ro": {"rotate"},
    "oauth-mw client ap": {"apply"},
    "oauth-mw client apply clients.toml --dr": {"--dry-run"},
    "oauth-mw client list --un": {"--unused-for"},
    "oauth-mw token l": {"list"},
    "oauth-mw report --tok": {"--token-url", "--token-file"},
    "oauth-mw top http://127.0.0.1:8080 --int": {"--interval"},
    "oauth-mw client add x --token-format j": {"jwt"},
}


@pytest.mark.parametrize(("line", "words"), LINES.items())
def test_a_line_is_completed(completed, line, words):
    place = str(len(line.split()) - 1)

    lines = completed(_OAUTH_MW_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=place).splitlines()

    assert {each.partition(",")[2] for each in lines} == words
