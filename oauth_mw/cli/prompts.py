"""How commands read secrets and tokens: from a file or standard input, never from an argument."""

from __future__ import annotations

from typing import BinaryIO

import click

from ..credentials import is_printable
from ..errors import AdminError, NotFound
from ..tokens.jws import MAX_LENGTH

# Longer than any secret or token: what is longer still is refused by whoever judges it.
LIMIT = MAX_LENGTH + 100


def read_credential(stream: BinaryIO, what: str) -> str:
    """The text, without one newline at its end. On a terminal, ask for it without showing it."""
    if stream.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    # Latin-1 reads any bytes; those that no credential holds are refused by whoever judges the text.
    text = stream.read(LIMIT).decode("latin-1")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def read_password(stream: BinaryIO, *, new: bool = False) -> str:
    """The text, without one newline at its end. On a terminal, ask for it without showing it, and twice if it is new.

    :raises AdminError: it is not UTF-8.
    """
    if stream.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=new, err=True)
        return typed
    try:
        return stream.read(LIMIT).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise AdminError("the password is not UTF-8") from None


def _known(context: click.Context, argument: click.Parameter, value: str) -> str:
    """Text that no client or secret can have as its id never reaches the store."""
    if not is_printable(value):
        raise NotFound(f"there is no {str(argument.metavar).lower()} {value!r}")
    return value


client_argument = click.argument("client_id", metavar="CLIENT", callback=_known)
key_argument = click.argument("kid", metavar="KEY", callback=_known)
secret_argument = click.argument("secret_id", metavar="SECRET_ID", callback=_known)

odd_scope_option = click.option(
    "--allow-odd-scope", is_flag=True, help="Take a scope with , or ; in it, or that begins with #, as it is."
)
