"""``oauth-mw secret``: add and revoke secrets, so that a client can change its secret without an outage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar

import click

from .. import admin
from ..model import ClientSecret
from .output import instant, json_option, print_columns, print_json, print_result, print_table
from .prompts import client_argument, read_credential, secret_argument
from .target import Target

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_ONCE = "    (shown once; only its hash is stored)"


def parse_instant(text: str) -> int:
    """Parse Unix seconds, or a date with or without time in ISO 8601, in UTC unless it has an offset."""
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        read = datetime.fromisoformat(text)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither Unix seconds nor like 2030-01-31 or 2030-01-31T12:00:00Z"
        ) from None


def import_options(command: F) -> F:
    """Add the options that import an existing secret."""
    help = "Read the secret from this file; - is stdin."
    file = click.option("--secret-file", type=click.File("rb"), metavar="PATH", help=help)
    help = "Accept a short or guessable secret, and mark it as weak."
    return file(click.option("--allow-weak-secret", is_flag=True, help=help)(command))


def imported_secret(file: BinaryIO | None, allow_weak: bool) -> str | None:
    """The secret to import, if one was given."""
    if file is None and allow_weak:
        raise click.UsageError("--allow-weak-secret needs --secret-file.")
    return None if file is None else read_credential(file, "Secret")


def print_new_secret(pairs: list[tuple[str, str]], record: ClientSecret, secret: str, *, imported: bool) -> None:
    """Show a generated secret, only this once. An imported one is never shown."""
    shown = "as given; only its hash is stored" if imported else secret + SHOWN_ONCE
    print_columns([*pairs, ("client_secret", shown)])
    if record.weak:
        click.echo("warning: the secret is weak: change it soon", err=True)


def secret_view(secret: ClientSecret) -> dict[str, object]:
    shown = ("secret_id", "label", "created_at", "not_after", "weak")
    return {name: getattr(secret, name) for name in shown}


def in_order(secrets: Iterable[ClientSecret]) -> list[ClientSecret]:
    return sorted(secrets, key=lambda each: (each.created_at, each.secret_id))


def print_secrets(secrets: Iterable[ClientSecret]) -> None:
    now = time.time()
    rows = []
    for each in in_order(secrets):
        over = each.not_after is not None and each.not_after <= now
        notes = ", ".join(note for note, holds in (("weak", each.weak), ("expired", over)) if holds)
        rows.append([each.secret_id, each.label, instant(each.created_at), instant(each.not_after), notes])
    print_table(["SECRET_ID", "LABEL", "CREATED", "NOT_AFTER", "NOTE"], rows)


@click.group()
def secret() -> None:
    """Add, list and revoke the secrets of clients."""


@secret.command("add")
@client_argument
@click.option("--label", default="", help="A note on its purpose.")
@click.option("--not-after", type=parse_instant, metavar="TIME", help="When it expires: ISO 8601, or Unix seconds.")
@import_options
@json_option
@click.pass_obj
def add(
    target: Target,
    client_id: str,
    label: str,
    not_after: int | None,
    secret_file: BinaryIO | None,
    allow_weak_secret: bool,
    as_json: bool,
) -> None:
    """Add a secret to CLIENT; the others stay valid."""
    text = imported_secret(secret_file, allow_weak_secret)
    with target.store() as store:
        record, made = admin.add_secret(
            store, client_id, label=label, not_after=not_after, secret=text, allow_weak_secret=allow_weak_secret
        )
    if as_json:
        shown = None if text is not None else made
        print_json({"client_id": client_id, "client_secret": shown, **secret_view(record)})
    else:
        pairs = [("client_id", client_id), ("secret_id", record.secret_id)]
        print_new_secret(pairs, record, made, imported=text is not None)


@secret.command("list")
@client_argument
@json_option
@click.pass_obj
def list_(target: Target, client_id: str, as_json: bool) -> None:
    """List the secrets of CLIENT, without their text."""
    with target.store() as store:
        secrets = admin.get_client(store, client_id).secrets
    if as_json:
        print_json([secret_view(each) for each in in_order(secrets)])
    else:
        print_secrets(secrets)


@secret.command("revoke")
@client_argument
@secret_argument
@click.option("--and-tokens", is_flag=True, help="Also revoke all tokens of the client.")
@json_option
@click.pass_obj
def revoke(target: Target, client_id: str, secret_id: str, and_tokens: bool, as_json: bool) -> None:
    """Revoke a secret of CLIENT. Tokens stay valid unless --and-tokens revokes them too."""
    with target.store() as store:
        admin.revoke_secret(store, client_id, secret_id, and_tokens=and_tokens)
    view = {"client_id": client_id, "secret_id": secret_id, "revoked": True, "tokens_ended": and_tokens}
    text = f"revoked {secret_id}" + (f"; all tokens of {client_id} are revoked" if and_tokens else "")
    print_result(view, text, as_json)
