"""Reading of secrets and tokens: from a file or standard input, never from an argument."""

from __future__ import annotations

from typing import BinaryIO

import click

from ..credentials import is_printable
from ..errors import AdminError, NotFound
from ..tokens.jws import MAX_LENGTH

# Longer than any secret or token, so that a longer text is still refused for its length.
LIMIT = MAX_LENGTH + 100


def read_credential(stream: BinaryIO, what: str) -> str:
    """Read a text, without the newline at its end. On a terminal, prompt for it without echo."""
    if stream.isatty():
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    # Latin-1 decodes any bytes; later checks refuse those that no credential contains.
    text = stream.read(LIMIT).decode("latin-1")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def read_password(stream: BinaryIO, *, new: bool = False) -> str:
    """Read a text, without the newline at its end. On a terminal, prompt for it without echo, twice if it is new.

    :raises AdminError: it is not UTF-8.
    """
    if stream.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=new, err=True)
        return typed
    try:
        return stream.read(LIMIT).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise AdminError("the password is not UTF-8") from None


def _printable(context: click.Context, argument: click.Parameter, value: str) -> str:
    """Refuse an id that nothing can have, so that it never reaches the store.

    :raises NotFound: it is not printable ASCII.
    """
    if not is_printable(value):
        raise NotFound(f"there is no {str(argument.metavar).lower()} {value!r}")
    return value


client_argument = click.argument("client_id", metavar="CLIENT", callback=_printable)
key_argument = click.argument("kid", metavar="KEY", callback=_printable)
secret_argument = click.argument("secret_id", metavar="SECRET_ID", callback=_printable)

odd_scope_option = click.option(
    "--allow-odd-scope", is_flag=True, help="Accept a scope that contains , or ; or begins with #."
)
