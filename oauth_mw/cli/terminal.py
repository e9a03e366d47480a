"""What commands print, for people and for scripts, and the secrets and tokens that they read."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce, update_wrapper
from typing import Any, BinaryIO, NamedTuple, TypeVar

import click

from ..credentials import is_printable
from ..errors import AdminError, ConfigError, NotFound, StoreUnavailable
from ..model import Value
from ..tokens.jws import MAX_JWS_LENGTH
from .naming import client_id_of
from .tables import columns as columns
from .target import Target

_COLOURS = {"Error:": "red", "warning:": "yellow"}
_FAULTS = re.compile("^(?:Error|warning):", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_.-]+")
F = TypeVar("F", bound=Callable[..., Any])
# Longer than any secret or token, so that a longer text is still refused for its length.
LIMIT = MAX_JWS_LENGTH + 100

# Eager, so that the callbacks of other options can read it.
json_option = click.option(
    "--json", "as_json", is_flag=True, is_eager=True, help="Print JSON, for scripts; times are Unix seconds."
)


class Undo(NamedTuple):
    """How to remove what has a secret that could not be printed."""

    what: str
    call: Callable[[], None]


class Output(NamedTuple):
    """What a command prints: ``view`` as JSON for scripts; ``text``, and ``note`` on standard error, for people.

    What it has made is undone by ``undo`` if it cannot be printed. ``code`` is the exit code.
    """

    view: object
    text: str
    note: str = ""
    undo: Undo | None = None
    code: int = 0


def on_target(function: Callable[..., Output]) -> Callable[..., None]:
    """Add ``--json`` to a command, call it with its target, and print the output that it returns."""

    def command(target: Target, /, *, as_json: bool, **given: Any) -> None:
        with target.recording():
            with target.naming_variables():
                output = function(target, **given)
            with _undone(output.undo):
                click.echo(json.dumps(output.view, indent=2) if as_json else coloured(output.text))
            if output.note and not as_json:
                click.echo(coloured(output.note), err=True)
            if output.code:
                raise click.exceptions.Exit(output.code)

    return json_option(click.pass_obj(update_wrapper(command, function)))


@contextmanager
def _undone(undo: Undo | None) -> Iterator[None]:
    """Undo what a command has done, if its output cannot be printed."""
    try:
        if undo and sys.stdout is None:  # the parent process closed it
            raise OSError("standard output is closed")
        yield
    except OSError as error:
        if undo is None:
            raise
        sys.stdout = open(os.devnull, "w")  # the exit would flush it once more
        reason = f"the secret could not be printed ({error.strerror or error})"
        try:
            undo.call()
        except (AdminError, ConfigError, OSError, StoreUnavailable) as failed:
            raise AdminError(f"{reason}, and {undo.what} remains: remove it ({failed})") from None
        raise AdminError(f"{reason}: {undo.what} was removed again") from None


def on_store(function: Callable[..., Output]) -> Callable[..., None]:
    """Do the same for a command that is called with its open store, and with the id of its client if it has one."""

    def command(target: Target, /, **given: Any) -> Output:
        with target.store() as store:
            if "client_id" in given:
                given["client_id"] = client_id_of(store, given["client_id"])
            return function(store, **given)

    return on_target(update_wrapper(command, function))


def merged(*options: Callable[[F], F]) -> Callable[[F], F]:
    """A decorator that adds several options to a command, in this order."""
    return lambda command: reduce(lambda command, option: option(command), reversed(options), command)


def coloured(text: str) -> str:
    """The text with its errors and warnings in colour, which click removes where it writes to no terminal."""
    return _FAULTS.sub(lambda found: click.style(found[0], fg=_COLOURS[found[0]], bold=True), text)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def instant(seconds: int | None) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attribute_text(attributes: Mapping[str, Value]) -> str:
    """``KEY=VALUE`` in one line. Values are JSON, and so are odd keys: no character can control the terminal."""
    keys = {name: name if _BARE.fullmatch(name) else json.dumps(name) for name in attributes}
    return " ".join(f"{keys[name]}={json.dumps(value)}" for name, value in attributes.items())


def read_credential(stream: BinaryIO, what: str, *, encoding: str = "latin-1", new: bool = False) -> str:
    """Read a text, without the newline at its end. On a terminal, prompt for it without echo, twice if it is new.

    :param encoding: Latin-1 decodes any bytes; later checks refuse those that no token or secret contains.
    :raises AdminError: the text has another encoding.
    """
    if stream.isatty():
        typed: str = click.prompt(what, hide_input=True, confirmation_prompt=new, err=True)
        return typed
    try:
        text = stream.read(LIMIT).decode(encoding)
    except UnicodeDecodeError:
        raise AdminError(f"the {what.lower()} is not {encoding.upper()}") from None
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def confirm(question: str) -> None:
    """Ask on the terminal.

    :raises AdminError: nothing is typed, since standard input is no terminal.
    :raises click.Abort: the answer is no.
    """
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise AdminError("not confirmed: --yes skips the question") from None


def printable(context: click.Context, argument: click.Parameter, value: str) -> str:
    """Refuse an id with characters that no id has, before it reaches the store."""
    if not is_printable(value):
        raise NotFound(f"there is no {str(argument.metavar).lower()} {value!r}")
    return value


def _unprompted(context: click.Context, option: click.Parameter, yes: bool) -> bool:
    if context.params.get("as_json") and not yes:
        raise click.UsageError("--json does not prompt: give --yes too.")
    return yes


yes_option = click.option("--yes", is_flag=True, callback=_unprompted, help="Skip the confirmation.")
