"""``oauth-mw client rotate``: a new secret for a client, and an end for its others."""

from __future__ import annotations

from typing import Any

import click

from .. import admin
from ..credentials import has_expired
from .naming import client_argument, client_id_of
from .secret import is_imported, new_secret, secret_options, secret_table, secret_view, secret_views
from .target import Target
from .terminal import Output, Undo, instant, on_target
from .times import parse_duration


@click.command("rotate")
@client_argument
@click.option(
    "--overlap",
    type=parse_duration,
    metavar="DURATION",
    default="7d",
    show_default=True,
    help="How long the other secrets stay valid: 7d, 12h, 30m, or seconds.",
)
@secret_options
@on_target
def rotate(target: Target, client_id: str, *, overlap: int, **options: Any) -> Output:
    """Add a secret to CLIENT, and let its others expire, in one step.

    Secrets that expire earlier keep their end. If CLIENT has five secrets, one that has expired makes room.
    """
    imported = is_imported(options)
    with target.store() as store:
        client_id = client_id_of(store, client_id)
        rotation = admin.rotate_secret(store, client_id, overlap=overlap, **options)
        use = admin.last_use(store, client_id)
    view = {**secret_view(rotation.record), "secrets": secret_views(rotation.client.secrets, use)}
    output = new_secret(client_id, rotation.record, rotation.secret, view, imported=imported)

    def undo() -> None:
        with target.store() as store:
            admin.undo_rotation(store, rotation)

    return output._replace(
        text=f"{output.text}\n\n{secret_table(rotation.client.secrets, use)}",
        note="\n".join(filter(None, [output.note, _next_step(rotation)])),
        undo=None if imported else Undo(f"secret {rotation.record.secret_id!r}", undo),
    )


def _next_step(rotation: admin.Rotation) -> str:
    others = [each for each in rotation.client.secrets if each.secret_id != rotation.record.secret_id]
    live = [each.not_after or 0 for each in others if not has_expired(each, rotation.record.created_at)]
    if not live:
        return ""
    return f"next, give the client the new secret: the others are refused from {instant(max(live))} on"
