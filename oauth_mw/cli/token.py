"""``oauth-mw token``: inspect and revoke tokens."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from .. import admin
from ..config import configure
from ..errors import NotFound
from ..tokens.jws import is_compact
from .output import attribute_text, instant, json_option, print_columns, print_json, print_result
from .prompts import client_argument, read_credential
from .target import Target

_ID = re.compile(r"[0-9a-f]{64}")

# All users of the machine can read a command line, and the shell keeps it in its history. If a token is there all the
# same, it must not be shown again: so click must not quote it as an unknown option or an unexpected argument.
_ANYTHING = {"ignore_unknown_options": True}
token_argument = click.argument("words", metavar="[TOKEN_ID|-]", nargs=-1, type=click.UNPROCESSED)


def _named(words: tuple[str, ...]) -> bytes | str:
    """The storage key of the named token, from its id or its text on standard input; or the text of a JWT."""
    if words in ((), ("-",)):
        text = read_credential(sys.stdin.buffer, "Token")
        return text if is_compact(text) else admin.token_key(text)
    token_id = words[0].lower()
    if len(words) > 1 or not _ID.fullmatch(token_id):
        raise click.UsageError(
            "Expected one token id (64 hexadecimal digits). Pass a token itself on standard input, never on the "
            "command line: other users can read it there."
        )
    return admin.token_key(token_id)


def _keys(target: Target) -> dict[str, Any]:
    """The options that locate the keys for JWTs."""
    settings = configure(target.options_with_secret())
    return {"files": settings.signing_key_files, "secret": settings.key_encryption_secret}


@click.group()
def token() -> None:
    """Inspect and revoke tokens.

    A token is named by its id, or passed itself on standard input; never as an argument.
    """


@token.command("inspect", context_settings=_ANYTHING)
@token_argument
@json_option
@click.pass_obj
def inspect(target: Target, words: tuple[str, ...], as_json: bool) -> None:
    """Show the fields of a token. A JWT has no row in the store: pass it itself."""
    named = _named(words)
    with target.store() as store:
        if isinstance(named, str):
            found = admin.inspect_jwt(store, named, **_keys(target))
        else:
            found = admin.inspect_token(store, named)
    names = ("token_id", "client_id", "scope", "audience", "state", "issued_at", "expires_at", "attributes")
    if as_json:
        print_json({name: getattr(found, name) for name in names} | {"attributes": dict(found.attributes)})
        return
    text = {
        "audience": " ".join(found.audience),
        "issued_at": instant(found.issued_at),
        "expires_at": instant(found.expires_at),
        "attributes": attribute_text(found.attributes),
    }
    print_columns([(name.removesuffix("_at"), text.get(name) or getattr(found, name)) for name in names])


@token.command("revoke", context_settings=_ANYTHING)
@token_argument
@json_option
@click.pass_obj
def revoke(target: Target, words: tuple[str, ...], as_json: bool) -> None:
    """Revoke a token. A JWT has no row in the store: pass it itself."""
    named = _named(words)
    with target.store() as store:
        if isinstance(named, str):
            token_id, revoked = admin.revoke_jwt(store, named, **_keys(target))
        else:
            token_id, revoked = named.hex(), admin.revoke_token(store, named)
    text = f"revoked {token_id}" if revoked else f"{token_id} was revoked or expired before"
    print_result({"token_id": token_id, "revoked": revoked}, text, as_json)


@token.command("revoke-all")
@client_argument
@json_option
@click.pass_obj
def revoke_all(target: Target, client_id: str, as_json: bool) -> None:
    """Revoke all tokens of CLIENT. It may request new ones."""
    with target.store() as store:
        try:
            admin.revoke_all_tokens(store, client_id)
        except NotFound:
            # It may be a token by mistake, so it is not shown again.
            raise NotFound("there is no client with this id") from None
    text = f"all tokens of {client_id} are revoked"
    print_result({"client_id": client_id, "tokens_ended": True}, text, as_json)
