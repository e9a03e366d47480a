"""The commands that the README shows are those of the command line."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from oauth_mw.cli import main
from oauth_mw.config import OPTIONS
from oauth_mw.keys import lead_seconds

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SHOWN = sorted(set(re.findall(r"(?:^\$ |`)oauth-mw ([^`\n]+)", README, re.MULTILINE)))


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_is_shown_is_there(line):
    command: click.Command = main
    for word in line.split():
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
        elif word.startswith("-"):
            assert any(word in (*each.opts, *each.secondary_opts) for each in command.params), word
    assert not isinstance(command, click.Group)


def test_a_key_is_published_as_long_as_is_said():
    assert f"published for {lead_seconds(OPTIONS['revocation_lag_seconds'].default)} seconds before it signs" in README
