"""``oauth-mw client apply`` and ``export``: clients as a file."""

from __future__ import annotations

import json
import os
import tomllib
from typing import Any, BinaryIO

import click

from .. import admin
from ..admin.applying import apply_declared, declared_clients
from ..admin.client_tables import table_of
from ..errors import AdminError, ConfigError
from ..protocols import Store
from .changes import apply_options, change_notes, change_table, change_views, file_name, opened, read_file, saying
from .target import Target
from .terminal import Output, on_store, on_target

_HASHES = (
    "warning: the file has hashes of secrets: those of weak secrets can be guessed, without a request; keep it as you"
    " keep secrets"
)


@click.command("apply")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option("--prune", is_flag=True, help="Disable the clients that FILE does not have, and revoke their tokens.")
@apply_options
@on_target
def apply(target: Target, /, file: BinaryIO, *, dry_run: bool, prune: bool, reopen: tuple[str, ...]) -> Output:
    """Make the clients of the store match FILE, in TOML; - is stdin.

    Clients are added and updated. If FILE has a fault, all of its faults are shown and nothing is changed. A client
    that was disabled in the store stays disabled, and a secret that was revoked stays revoked.
    """
    # Before the store, so that none is created for a file that is refused.
    declared = declared_clients(_read(file), folder=os.path.dirname(file_name(file)))
    made: list[admin.ClientChange] = []
    with opened(target, dry_run) as store, saying(made):
        changes = apply_declared(store, declared, prune=prune, reopen=reopen, dry_run=dry_run, on_change=made.append)
    view = {"dry_run": dry_run, "changes": change_views(changes)}
    return Output(view, change_table(changes), "\n".join(change_notes(changes, dry_run)))


def _read(file: BinaryIO) -> dict[str, Any]:
    text = read_file(file)
    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        said = "too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(file_name(file), f"cannot be read as TOML: {said}") from None


@click.command("export")
@click.option("-o", "--output", metavar="FILE", help="Write it to this new file, which only its owner can read.")
@on_store
def export(store: Store, output: str | None) -> Output:
    """Print all clients as a file for `client apply`, with the hashes of their secrets."""
    clients = {each.client_id: table_of(each) for each in admin.list_clients(store)}
    text = "".join(admin.export_clients(store))
    view = json.loads(json.dumps({"clients": clients}, default=lambda moment: int(moment.timestamp())))
    weak = [f"warning: client {name!r} has a weak secret" for name, each in clients.items() if _has_weak(each)]
    note = "\n".join([_HASHES, *weak])
    if output is None:
        return Output(view, text.rstrip("\n"), note)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AdminError(f"{output} already exists") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Output({"file": os.path.abspath(output)}, f"wrote {output}", note)


def _has_weak(client: dict[str, Any]) -> bool:
    return any(secret.get("weak") for secret in client["secrets"])
