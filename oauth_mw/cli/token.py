"""``oauth-mw token``: list, inspect and revoke tokens; and ``oauth-mw purge``, which removes expired ones."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import click

from .. import admin
from ..admin.tokens import PURGE_ROWS
from ..errors import NotFound
from ..protocols import Store
from ..tokens.jws import is_compact
from ..tokens.opaque import CLOCK_MARGIN
from .groups import Group, Verbatim
from .naming import client_argument, client_id_of
from .tables import columns, table
from .target import Target
from .terminal import Output, attribute_text, instant, on_store, on_target, read_credential
from .times import parse_past

LONG_WORK = 10_000  # expired tokens, from which a purge shows a bar

_ID = re.compile(r"[0-9a-f]{64}")
_LISTED = ("token_id", "scope", "audience", "issued_at", "expires_at")

# All users of the machine can read a command line, and the shell keeps it in its history. If a token is there all the
# same, it must not be shown again: so click must not quote it as an unknown option or an unexpected argument.
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


@click.group(cls=Group)
def token() -> None:
    """List, inspect and revoke tokens.

    A token is named by its id, or passed itself on standard input; never as an argument.
    """


@token.command("inspect", cls=Verbatim, context_settings=Verbatim.SETTINGS)
@token_argument
@on_target
def inspect(target: Target, words: tuple[str, ...]) -> Output:
    """Show the fields of a token. A JWT has no row in the store: pass it itself."""
    found = _on_token(target, words, admin.inspect_token, admin.inspect_jwt)
    view = {**found._asdict(), "attributes": dict(found.attributes)}
    text = {
        **view,
        "audience": " ".join(found.audience),
        "issued_at": instant(found.issued_at),
        "expires_at": instant(found.expires_at),
        "attributes": attribute_text(found.attributes),
    }
    return Output(view, columns([(name.removesuffix("_at"), value) for name, value in text.items()]))


def _follows(context: click.Context, option: click.Parameter, token_id: str) -> str:
    if token_id and not _ID.fullmatch(token_id.lower()):
        raise click.BadParameter("expected a token id, of 64 hexadecimal digits")
    return token_id.lower()


@token.command("list")
@client_argument
@click.option("--after", default="", metavar="TOKEN_ID", callback=_follows, help="Only those after this one.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@on_target
def list_(target: Target, client_id: str, after: str, limit: int) -> Output:
    """List the live opaque tokens of CLIENT, those that expire first before the others.

    JWTs are not listed: they have no rows in the store.
    """
    with target.store() as store:
        client_id = _client_id_of(store, client_id)
        found = list(islice(admin.list_tokens(store, client_id, after=after), limit + 1))
    views = [{name: getattr(each, name) for name in _LISTED} for each in found[:limit]]
    rows = [[each.token_id, each.scope, instant(each.issued_at), instant(each.expires_at)] for each in found[:limit]]
    note = "opaque tokens only: JWTs have no rows in the store"
    if len(found) > limit:
        note = f"more follow: --after {found[limit - 1].token_id}\n{note}"
    return Output(views, table(["TOKEN_ID", "SCOPE", "ISSUED", "EXPIRES"], rows), note)


@token.command("revoke", cls=Verbatim, context_settings=Verbatim.SETTINGS)
@token_argument
@on_target
def revoke(target: Target, words: tuple[str, ...]) -> Output:
    """Revoke a token. A JWT has no row in the store: pass it itself."""
    token_id, revoked = _on_token(
        target, words, lambda store, key: (key.hex(), admin.revoke_token(store, key)), admin.revoke_jwt
    )
    text = f"revoked {token_id}" if revoked else f"{token_id} was revoked or expired before"
    return Output({"token_id": token_id, "revoked": revoked}, text)


def _on_token(target: Target, words: tuple[str, ...], by_key: Callable[..., Any], by_jwt: Callable[..., Any]) -> Any:
    """Call ``by_key`` with the store and the storage key of the named token, or ``by_jwt`` with its text and keys."""
    named = _named(words)
    with target.store() as store:
        if isinstance(named, bytes):
            return by_key(store, named)
        settings = target.settings()
        return by_jwt(store, named, files=settings.signing_key_files, secret=settings.key_encryption_secret)


@token.command("revoke-all")
@client_argument
@click.option(
    "--before",
    type=parse_past,
    metavar="TIME",
    help="Only those issued before: ISO 8601, Unix seconds, or like 2h, which is two hours ago.",
)
@on_target
def revoke_all(target: Target, client_id: str, before: int | None) -> Output:
    """Revoke all tokens of CLIENT, an id or a name that only one client has. It may request new ones."""
    with target.store() as store:
        client_id = _client_id_of(store, client_id)
        admin.revoke_all_tokens(store, client_id, issued_before=before)
    view = {"client_id": client_id, "tokens_ended": True}
    if before is None:
        return Output(view, f"all tokens of {client_id} are revoked")
    text = f"all tokens of {client_id} that were issued before {instant(before)} are revoked"
    return Output({**view, "issued_before": before}, text)


def _client_id_of(store: Store, text: str) -> str:
    try:
        return client_id_of(store, text)
    except NotFound:
        # It may be a token by mistake, so it is not shown again.
        raise NotFound("there is no client with this id or name: see `client list`") from None


@click.command()
@on_store
def purge(store: Store) -> Output:
    """Remove all tokens that expired more than a minute ago. Workers remove some at every hundredth issue."""
    removed = _purge(store)
    return Output({"removed": removed}, f"removed {removed} expired token{'' if removed == 1 else 's'}")


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
