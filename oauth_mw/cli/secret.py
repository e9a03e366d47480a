"""``oauth-mw secret``: add and revoke secrets, so that a client can change its secret without an outage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import click

from .. import admin
from ..admin.uses import NEVER, LastUse
from ..model import ClientSecret
from ..protocols import Store
from .groups import Group
from .naming import client_argument, client_id_of, secret_argument, secret_id_of
from .tables import columns, table
from .target import Target
from .terminal import Output, Undo, instant, merged, on_store, on_target, read_credential
from .times import parse_instant


def _read(context: click.Context, option: click.Parameter, file: BinaryIO | None) -> str | None:
    return None if file is None else read_credential(file, "Secret")


import_options = merged(
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
secret_options = merged(
    click.option("--label", default="", help="A note on its purpose."),
    click.option("--not-after", type=parse_instant, metavar="TIME", help="When it expires: ISO 8601, or Unix seconds."),
    import_options,
)


def is_imported(options: Mapping[str, Any]) -> bool:
    """True if an existing secret was given."""
    if options["secret"] is None and options["allow_weak_secret"]:
        raise click.UsageError("--allow-weak-secret needs --secret-file.")
    return options["secret"] is not None


def new_secret(
    client_id: str, record: ClientSecret, secret: str, view: Mapping[str, object], *, imported: bool, named: bool = True
) -> Output:
    """Show a generated secret, only this once. An imported one is never shown.

    :param named: also show people the id of the secret.
    """
    shown = "as given; only its hash is stored" if imported else f"{secret}    (shown once; only its hash is stored)"
    pairs = [("client_id", client_id), *[("secret_id", record.secret_id)] * named, ("client_secret", shown)]
    return Output(
        {"client_id": client_id, "client_secret": None if imported else secret, **view},
        columns(pairs),
        "warning: the secret is weak: change it soon" if record.weak else "",
    )


def secret_view(secret: ClientSecret, use: LastUse = NEVER) -> dict[str, object]:
    view = {name: getattr(secret, name) for name in ("secret_id", "label", "created_at", "not_after", "weak")}
    return {**view, "last_used_at": use.secrets.get(secret.secret_id)}


def secret_views(secrets: Iterable[ClientSecret], use: LastUse) -> list[dict[str, object]]:
    return [secret_view(each, use) for each in _in_order(secrets)]


def secret_table(secrets: Iterable[ClientSecret], use: LastUse) -> str:
    now = time.time()
    rows = []
    for each in _in_order(secrets):
        over = each.not_after is not None and each.not_after <= now
        notes = ", ".join(note for note, holds in (("weak", each.weak), ("expired", over)) if holds)
        times = [instant(at) for at in (each.created_at, each.not_after, use.secrets.get(each.secret_id))]
        rows.append([each.secret_id, each.label, *times, notes])
    return table(["SECRET_ID", "LABEL", "CREATED", "NOT_AFTER", "LAST_USED", "NOTE"], rows)


def _in_order(secrets: Iterable[ClientSecret]) -> list[ClientSecret]:
    return sorted(secrets, key=lambda each: each.created_at)  # those of one second as they were added


@click.group(cls=Group)
def secret() -> None:
    """Add, list and revoke the secrets of clients.

    CLIENT is the id of a client, or its name if no other client has the same. SECRET is the id of one of its secrets,
    or its label if no other one has the same.
    """


@secret.command("add")
@client_argument
@secret_options
@on_target
def add(target: Target, client_id: str, **options: Any) -> Output:
    """Add a secret to CLIENT; the others stay valid."""
    imported = is_imported(options)
    with target.store() as store:
        client_id = client_id_of(store, client_id)
        record, made = admin.add_secret(store, client_id, **options)

    def undo() -> None:
        with target.store() as store:
            admin.revoke_secret(store, client_id, record.secret_id, force=True)

    output = new_secret(client_id, record, made, secret_view(record), imported=imported)
    return output._replace(undo=None if imported else Undo(f"secret {record.secret_id!r}", undo))


@secret.command("list")
@client_argument
@on_store
def list_(store: Store, client_id: str) -> Output:
    """List the secrets of CLIENT, without their text.

    LAST_USED is noted once an hour by each worker: the last use may be up to an hour later.
    """
    secrets, use = admin.get_client(store, client_id).secrets, admin.last_use(store, client_id)
    return Output(secret_views(secrets, use), secret_table(secrets, use))


@secret.command("revoke")
@client_argument
@secret_argument
@click.option("--and-tokens", is_flag=True, help="Also revoke all tokens of the client.")
@click.option("--force", is_flag=True, help="Also if it was used within the last day.")
@on_store
def revoke(store: Store, client_id: str, secret_id: str, and_tokens: bool, force: bool) -> Output:
    """Revoke a secret of CLIENT. Tokens stay valid unless --and-tokens revokes them too.

    A secret that was used within the last day is only revoked with --force.
    """
    secret_id = secret_id_of(admin.get_client(store, client_id), secret_id)
    admin.revoke_secret(store, client_id, secret_id, and_tokens=and_tokens, force=force)
    view = {"client_id": client_id, "secret_id": secret_id, "revoked": True, "tokens_ended": and_tokens}
    return Output(view, f"revoked {secret_id}" + (f"; all tokens of {client_id} are revoked" if and_tokens else ""))
