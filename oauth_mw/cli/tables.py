"""Tables: each column as wide as its widest cell, and on a terminal no wider than that."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

NOTHING = "-"
GAP = "  "
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\dZ$")


def columns(rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns. On a terminal, cells are wrapped at spaces if the rows are too wide for it otherwise."""
    shown = _shown(rows)
    widths = _fitted(shown) or _widths(shown)
    return "\n".join(_row(row, widths) for row in shown)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows below their heads. On a terminal that is too narrow, times are dates, or each row is a block."""
    short = [[_TIME.sub(r"\1", cell) for cell in row] for row in rows]
    fitting = next((each for each in (rows, short) if _fitted(_shown([heads, *each]))), None)
    if fitting is None:
        return "\n\n".join(columns(list(zip(heads, row, strict=True))) for row in rows)
    first, *others = columns([heads, *fitting]).split("\n")
    return "\n".join([click.style(first, bold=True), *others])


def _shown(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[cell or NOTHING for cell in row] for row in rows]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _fitted(rows: Sequence[Sequence[str]]) -> list[int] | None:
    """The widths of columns that fit the terminal, if there is one; ``None`` if a word would have to be broken."""
    fitted = _widths(rows)
    if not sys.stdout or not sys.stdout.isatty():
        return fitted
    room = shutil.get_terminal_size().columns - len(GAP) * (len(fitted) - 1)
    longest = _widths([[max(cell.split(" "), key=len) for cell in row] for row in rows])
    while sum(fitted) > room:
        spare = [place for place, width in enumerate(fitted) if width > longest[place]]
        if not spare:
            return None
        fitted[max(spare, key=fitted.__getitem__)] -= 1
    return fitted


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    """The lines of a row, the first of which has its beginning of each cell."""
    cells = [_lines(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(max(map(len, cells)))]
    return "\n".join(GAP.join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _lines(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
