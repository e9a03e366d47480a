"""Every help ends with examples that can be called."""

from __future__ import annotations

import shlex

import click
import pytest

from oauth_mw.cli import main


def context_of(command):
    return click.Context(command, help_option_names=["-h", "--help"])  # click keeps the option that it makes of them


def commands(command=main, words=()):
    """All commands with their words, from the root on."""
    yield " ".join(words), command
    if isinstance(command, click.Group):
        context = context_of(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*words, name))


ALL = dict(commands())


def examples_of(words):
    """The lines below the heading, each without what the shell takes from it."""
    _, heading, text = ALL[words].get_help(context_of(ALL[words])).partition("\n  Examples:\n")
    assert heading, f"`oauth-mw {words} --help` has no examples"
    return [line.partition(" < ")[0].partition(" > ")[0] for line in text.splitlines()]


@pytest.mark.parametrize("words", ALL)
def test_an_example_is_a_call_of_its_command_that_can_be_parsed(words):
    for line in examples_of(words):
        program, *left = shlex.split(line)
        command, called = main, []
        while isinstance(command, click.Group):
            _, left, _ = command.make_parser(context_of(command)).parse_args(left)
            called.append(left.pop(0))
            command = command.get_command(context_of(command), called[-1])
        given, left, _ = command.make_parser(context_of(command)).parse_args(left)
        needed = {each.name for each in command.params if each.required}
        assert (program, left) == ("oauth-mw", [])
        assert " ".join(called).startswith(words)
        assert needed <= {name for name, value in given.items() if value is not None}


@pytest.mark.parametrize("words", ALL)
def test_an_example_fits_a_line(words):
    assert max(map(len, ALL[words].get_help(context_of(ALL[words])).splitlines())) <= 80
