"""Reading of secrets and tokens: from a file or standard input, never from an argument."""

from __future__ import annotations

from typing import BinaryIO

import click

from ..credentials import is_printable
from ..errors import AdminError, NotFound
from ..tokens.jws import MAX_JWS_LENGTH

# Longer than any secret or token, so that a longer text is still refused for its length.
LIMIT = MAX_JWS_LENGTH + 100


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
