"""``oauth-mw token``: inspect and revoke tokens; and ``oauth-mw purge``, which removes expired ones."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import click

from .. import admin
from ..admin.tokens import PURGE_ROWS
from ..errors import NotFound
from ..protocols import Store
from ..tokens.jws import is_compact
from ..tokens.opaque import CLOCK_MARGIN
from .target import Target
from .terminal import Answer, answers, attribute_text, client_argument, columns, instant, read_credential

LONG_WORK = 10_000  # expired tokens, from which a purge shows a bar

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


@click.group()
def token() -> None:
    """Inspect and revoke tokens.

    A token is named by its id, or passed itself on standard input; never as an argument.
    """


@token.command("inspect", context_settings=_ANYTHING)
@token_argument
@answers
def inspect(target: Target, words: tuple[str, ...]) -> Answer:
    """Show the fields of a token. A JWT has no row in the store: pass it itself."""
    named = _named(words)
    with target.store() as store:
        if isinstance(named, str):
            found = admin.inspect_jwt(store, named, **_keys(target))
        else:
            found = admin.inspect_token(store, named)
    names = ("token_id", "client_id", "scope", "audience", "state", "issued_at", "expires_at", "attributes")
    view = {name: getattr(found, name) for name in names} | {"attributes": dict(found.attributes)}
    text = {
        **view,
        "audience": " ".join(found.audience),
        "issued_at": instant(found.issued_at),
        "expires_at": instant(found.expires_at),
        "attributes": attribute_text(found.attributes),
    }
    return Answer(view, columns([(name.removesuffix("_at"), value) for name, value in text.items()]))


@token.command("revoke", context_settings=_ANYTHING)
@token_argument
@answers
def revoke(target: Target, words: tuple[str, ...]) -> Answer:
    """Revoke a token. A JWT has no row in the store: pass it itself."""
    named = _named(words)
    with target.store() as store:
        if isinstance(named, str):
            token_id, revoked = admin.revoke_jwt(store, named, **_keys(target))
        else:
            token_id, revoked = named.hex(), admin.revoke_token(store, named)
    text = f"revoked {token_id}" if revoked else f"{token_id} was revoked or expired before"
    return Answer({"token_id": token_id, "revoked": revoked}, text)


def _keys(target: Target) -> dict[str, Any]:
    """The options that locate the keys for JWTs."""
    settings = target.settings()
    return {"files": settings.signing_key_files, "secret": settings.key_encryption_secret}


@token.command("revoke-all")
@client_argument
@answers
def revoke_all(target: Target, client_id: str) -> Answer:
    """Revoke all tokens of CLIENT. It may request new ones."""
    with target.store() as store:
        try:
            admin.revoke_all_tokens(store, client_id)
        except NotFound:
            # It may be a token by mistake, so it is not shown again.
            raise NotFound("there is no client with this id") from None
    return Answer({"client_id": client_id, "tokens_ended": True}, f"all tokens of {client_id} are revoked")


@click.command()
@answers
def purge(target: Target) -> Answer:
    """Remove all tokens that expired more than a minute ago. Workers remove some at every hundredth issue."""
    with target.store() as store:
        removed = _purge(store)
    return Answer({"removed": removed}, f"removed {removed} expired token{'' if removed == 1 else 's'}")


def _purge(store: Store) -> int:
    steps = admin.purge(store)
    removed = next(steps, 0)
    # Counting is slow, and Redis removes expired tokens by itself.
    if removed < PURGE_ROWS or (due := store.count_tokens(before=int(time.time()) - CLOCK_MARGIN)) < LONG_WORK:
        return removed + sum(steps)
    with click.progressbar(length=due, label="purging", file=sys.stderr) as bar:
        for swept in steps:
            removed += swept
            bar.update(swept)
    return removed
