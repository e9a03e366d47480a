"""Output of commands: aligned columns for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from ..model import Value

NOTHING = "-"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts; times are Unix seconds.")


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def print_result(view: object, text: str, as_json: bool) -> None:
    """Print ``view`` as JSON, or ``text``."""
    click.echo(json.dumps(view, indent=2) if as_json else text)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print_columns([heads, *rows])


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    shown = [[cell or NOTHING for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def instant(seconds: int | None) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attribute_text(attributes: Mapping[str, Value]) -> str:
    """``KEY=VALUE`` in one line. Values are JSON, so that no character can control the terminal."""
    return " ".join(f"{name}={json.dumps(value)}" for name, value in attributes.items())
