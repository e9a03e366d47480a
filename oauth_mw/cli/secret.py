"""``oauth-mw secret``: add and revoke secrets, so that a client can change its secret without an outage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click

from .. import admin
from ..model import ClientSecret
from .target import Target
from .terminal import Answer, answers, client_argument, columns, combined, instant, read_credential, secret_argument


def _read(context: click.Context, option: click.Parameter, file: BinaryIO | None) -> str | None:
    return None if file is None else read_credential(file, "Secret")


import_options = combined(
    click.option(
        "--secret-file",
        "secret",
        type=click.File("rb"),
        metavar="PATH",
        callback=_read,
        help="Read the secret from this file; - is stdin.",
    ),
    click.option("--allow-weak-secret", is_flag=True, help="Accept a short or guessable secret, and mark it as weak."),
)


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


def is_imported(options: Mapping[str, Any]) -> bool:
    """True if an existing secret was given."""
    if options["secret"] is None and options["allow_weak_secret"]:
        raise click.UsageError("--allow-weak-secret needs --secret-file.")
    return options["secret"] is not None


def new_secret(
    client_id: str, record: ClientSecret, secret: str, view: Mapping[str, object], *, imported: bool, named: bool = True
) -> Answer:
    """Show a generated secret, only this once. An imported one is never shown.

    :param named: also show people the id of the secret.
    """
    shown = "as given; only its hash is stored" if imported else f"{secret}    (shown once; only its hash is stored)"
    pairs = [("client_id", client_id), *[("secret_id", record.secret_id)] * named, ("client_secret", shown)]
    return Answer(
        {"client_id": client_id, "client_secret": None if imported else secret, **view},
        columns(pairs),
        "warning: the secret is weak: change it soon" if record.weak else "",
    )


def secret_view(secret: ClientSecret) -> dict[str, object]:
    return {name: getattr(secret, name) for name in ("secret_id", "label", "created_at", "not_after", "weak")}


def secret_views(secrets: Iterable[ClientSecret]) -> list[dict[str, object]]:
    return [secret_view(each) for each in _in_order(secrets)]


def secret_table(secrets: Iterable[ClientSecret]) -> str:
    now = time.time()
    rows = [["SECRET_ID", "LABEL", "CREATED", "NOT_AFTER", "NOTE"]]
    for each in _in_order(secrets):
        over = each.not_after is not None and each.not_after <= now
        notes = ", ".join(note for note, holds in (("weak", each.weak), ("expired", over)) if holds)
        rows.append([each.secret_id, each.label, instant(each.created_at), instant(each.not_after), notes])
    return columns(rows)


def _in_order(secrets: Iterable[ClientSecret]) -> list[ClientSecret]:
    return sorted(secrets, key=lambda each: (each.created_at, each.secret_id))


@click.group()
def secret() -> None:
    """Add, list and revoke the secrets of clients."""


@secret.command("add")
@client_argument
@click.option("--label", default="", help="A note on its purpose.")
@click.option("--not-after", type=parse_instant, metavar="TIME", help="When it expires: ISO 8601, or Unix seconds.")
@import_options
@answers
def add(target: Target, client_id: str, **options: Any) -> Answer:
    """Add a secret to CLIENT; the others stay valid."""
    imported = is_imported(options)
    with target.store() as store:
        record, made = admin.add_secret(store, client_id, **options)
    return new_secret(client_id, record, made, secret_view(record), imported=imported)


@secret.command("list")
@client_argument
@answers
def list_(target: Target, client_id: str) -> Answer:
    """List the secrets of CLIENT, without their text."""
    with target.store() as store:
        secrets = admin.get_client(store, client_id).secrets
    return Answer(secret_views(secrets), secret_table(secrets))


@secret.command("revoke")
@client_argument
@secret_argument
@click.option("--and-tokens", is_flag=True, help="Also revoke all tokens of the client.")
@answers
def revoke(target: Target, client_id: str, secret_id: str, and_tokens: bool) -> Answer:
    """Revoke a secret of CLIENT. Tokens stay valid unless --and-tokens revokes them too."""
    with target.store() as store:
        admin.revoke_secret(store, client_id, secret_id, and_tokens=and_tokens)
    view = {"client_id": client_id, "secret_id": secret_id, "revoked": True, "tokens_ended": and_tokens}
    return Answer(view, f"revoked {secret_id}" + (f"; all tokens of {client_id} are revoked" if and_tokens else ""))
