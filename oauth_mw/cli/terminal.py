"""What commands print, for people and for scripts, and the secrets and tokens that they read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce, update_wrapper
from typing import Any, BinaryIO, NamedTuple, TypeVar

import click

from ..credentials import is_printable
from ..errors import AdminError, NotFound
from ..model import Value
from ..tokens.jws import MAX_JWS_LENGTH
from .target import Target

F = TypeVar("F", bound=Callable[..., Any])
NOTHING = "-"
# Longer than any secret or token, so that a longer text is still refused for its length.
LIMIT = MAX_JWS_LENGTH + 100

# Eager, so that the callbacks of other options can read it.
json_option = click.option(
    "--json", "as_json", is_flag=True, is_eager=True, help="Print JSON, for scripts; times are Unix seconds."
)


class Answer(NamedTuple):
    """What a command prints: ``view`` as JSON for scripts; ``text``, and ``note`` on standard error, for people."""

    view: object
    text: str
    note: str = ""


def answers(function: Callable[..., Answer]) -> Callable[..., None]:
    """Add ``--json`` to a command, call it with its target, and print what it returns."""

    def command(target: Target, /, *, as_json: bool, **given: Any) -> None:
        answer = function(target, **given)
        if as_json:
            print_json(answer.view)
            return
        click.echo(answer.text)
        if answer.note:
            click.echo(answer.note, err=True)

    return json_option(click.pass_obj(update_wrapper(command, function)))


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """A decorator that adds several options to a command, in this order."""
    return lambda command: reduce(lambda command, option: option(command), reversed(options), command)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def columns(rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns, each as wide as its widest cell."""
    shown = [[cell or NOTHING for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in shown)


def instant(seconds: int | None) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attribute_text(attributes: Mapping[str, Value]) -> str:
    """``KEY=VALUE`` in one line. Values are JSON, so that no character can control the terminal."""
    return " ".join(f"{name}={json.dumps(value)}" for name, value in attributes.items())


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


def _printable(context: click.Context, argument: click.Parameter, value: str) -> str:
    """Refuse an id that nothing can have, so that it never reaches the store."""
    if not is_printable(value):
        raise NotFound(f"there is no {str(argument.metavar).lower()} {value!r}")
    return value


def _unprompted(context: click.Context, option: click.Parameter, yes: bool) -> bool:
    if context.params.get("as_json") and not yes:
        raise click.UsageError("--json does not prompt: give --yes too.")
    return yes


client_argument = click.argument("client_id", metavar="CLIENT", callback=_printable)
key_argument = click.argument("kid", metavar="KEY", callback=_printable)
secret_argument = click.argument("secret_id", metavar="SECRET_ID", callback=_printable)
yes_option = click.option("--yes", is_flag=True, callback=_unprompted, help="Skip the confirmation.")
