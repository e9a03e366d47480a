"""What commands show that make a store match declared clients, and the options that they share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO

import click

from ..admin.applying import KEEP, ClientChange
from ..errors import AdminError, ConfigError, StoreMissing, StoreUnavailable
from ..protocols import Store
from .tables import table
from .target import Target
from .terminal import instant, merged

MAX_FILE = 64 * 2**20
MOST_NAMED = 20  # clients, in one line

apply_options = merged(
    click.option("--dry-run", is_flag=True, help="Only show what would be changed."),
    click.option(
        "--reopen",
        multiple=True,
        metavar="ID",
        help="Enable this client, or bring back this secret (SECRET or CLIENT:SECRET) that was revoked; repeatable.",
    ),
)


def file_name(file: BinaryIO) -> str:
    return str(getattr(file, "name", "<stdin>"))


def read_file(file: BinaryIO) -> bytes:
    """
    :raises ConfigError: it is too long.
    """
    text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ConfigError(file_name(file), f"has more than {MAX_FILE // 2**20} MiB")
    return text


@contextmanager
def saying(made: Sequence[ClientChange]) -> Iterator[None]:
    """Say what was changed before a change failed."""
    try:
        yield
    except (AdminError, StoreUnavailable, KeyboardInterrupt) as stop:
        if made:
            done = ", ".join(f"{each.client_id} ({each.action})" for each in made[-MOST_NAMED:])
            if len(made) > MOST_NAMED:
                done = f"{len(made)} clients, the last of them {done}"
            what = "interrupt" if isinstance(stop, KeyboardInterrupt) else "fault"
            click.echo(f"changed before the {what}: {done}; run it again to make the other changes", err=True)
        raise


@contextmanager
def opened(target: Target, dry_run: bool) -> Iterator[Store]:
    """The store; for a dry run an empty one, if it is missing."""
    try:
        with target.store(create=not dry_run) as store:
            yield store
        return
    except StoreMissing:
        if not dry_run:
            raise
    from ..stores import open_store

    with closing(open_store("memory://")) as store:
        yield store


def change_views(changes: Sequence[ClientChange]) -> list[dict[str, object]]:
    return [
        {**each._asdict(), "differences": [difference._asdict() for difference in each.differences]} for each in changes
    ]


def change_table(changes: Sequence[ClientChange]) -> str:
    """The differences, a row each."""
    rows = [
        [change.client_id, change.name, change.action, each.field, *(_cell(each.field, value) for value in each[1:])]
        for change in changes
        for each in change.differences
    ]
    heads = ["CLIENT_ID", "NAME", "CHANGE", "FIELD", "BEFORE", "AFTER"]
    return table(heads, rows) if rows else "nothing to change"


def change_notes(changes: Sequence[ClientChange], dry_run: bool) -> list[str]:
    """What stays closed, and that nothing was changed."""
    lines = [f"{note}: --reopen would open it again" for change in changes for note in change.notes]
    if dry_run and any(each.action != KEEP for each in changes):
        lines.append("dry run: nothing was changed")
    return lines


def _cell(field: str, value: object) -> str:
    if value is None:
        return ""
    is_end = field == "not_after" or field.startswith("secrets.") and field.endswith(".not_after")
    if is_end and isinstance(value, int):  # a secret may be named so, too
        return instant(value)
    return safe(value) if isinstance(value, str) else json.dumps(value)


def safe(text: str) -> str:
    """A text that cannot control the terminal."""
    return text if text.isprintable() else json.dumps(text)
