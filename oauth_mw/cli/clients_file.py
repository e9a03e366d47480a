"""``oauth-mw client apply`` and ``export``: clients as a file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from .. import admin
from ..admin.applying import KEEP, apply_declared, declared_clients
from ..admin.client_tables import table_of
from ..errors import AdminError, ConfigError, StoreUnavailable
from ..protocols import Store
from .tables import table
from .target import Target
from .terminal import Output, instant, on_store, on_target

MAX_FILE = 64 * 2**20

_HASHES = (
    "warning: the file has hashes of secrets: those of weak secrets can be guessed, without a request; keep it as you"
    " keep secrets"
)


@click.command("apply")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@click.option("--prune", is_flag=True, help="Disable the clients that FILE does not have, and revoke their tokens.")
@click.option(
    "--reopen",
    multiple=True,
    metavar="ID",
    help="Enable this client, or bring back this secret (SECRET or CLIENT:SECRET) that was revoked; repeatable.",
)
@on_target
def apply(target: Target, /, file: BinaryIO, *, dry_run: bool, prune: bool, reopen: tuple[str, ...]) -> Output:
    """Make the clients of the store match FILE, in TOML; - is stdin.

    Clients are added and updated. If FILE has a fault, all of its faults are shown and nothing is changed. A client
    that was disabled in the store stays disabled, and a secret that was revoked stays revoked.
    """
    # Before the store, so that none is created for a file that is refused.
    declared = declared_clients(_read(file), folder=os.path.dirname(_name(file)))
    made: list[admin.ClientChange] = []
    with target.store(create=not dry_run) as store, _saying(made):
        changes = apply_declared(store, declared, prune=prune, reopen=reopen, dry_run=dry_run, on_change=made.append)
    return _shown(changes, dry_run)


def _read(file: BinaryIO) -> dict[str, Any]:
    text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ConfigError(_name(file), f"has more than {MAX_FILE // 2**20} MiB")
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        said = "too deep" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(_name(file), f"cannot be read as TOML: {said}") from None


def _name(file: BinaryIO) -> str:
    return str(getattr(file, "name", "<stdin>"))


@contextmanager
def _saying(made: Sequence[admin.ClientChange]) -> Iterator[None]:
    """Say what was changed before a change failed."""
    try:
        yield
    except (AdminError, StoreUnavailable):
        if made:
            done = ", ".join(f"{each.client_id} ({each.action})" for each in made)
            click.echo(f"changed before the fault: {done}; run it again to make the other changes", err=True)
        raise


def _shown(changes: Sequence[admin.ClientChange], dry_run: bool) -> Output:
    view = [
        {**each._asdict(), "differences": [difference._asdict() for difference in each.differences]} for each in changes
    ]
    rows = [
        [change.client_id, change.name, change.action, each.field, *(_cell(each.field, value) for value in each[1:])]
        for change in changes
        for each in change.differences
    ]
    heads = ["CLIENT_ID", "NAME", "CHANGE", "FIELD", "BEFORE", "AFTER"]
    lines = [f"{note}: --reopen would open it again" for change in changes for note in change.notes]
    if dry_run and rows:
        lines.append("dry run: nothing was changed")
    changed = sum(each.action != KEEP for each in changes)
    return Output(
        {"dry_run": dry_run, "changes": view},
        table(heads, rows) if changed else "nothing to change",
        "\n".join(lines),
    )


def _cell(field: str, value: object) -> str:
    if value is None:
        return ""
    is_end = field == "not_after" or field.startswith("secrets.") and field.endswith(".not_after")
    if is_end and isinstance(value, int):  # a secret may be named so, too
        return instant(value)
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


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
