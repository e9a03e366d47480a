"""The table: what was measured, against what the design allows."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from statistics import median
from typing import NamedTuple

from behind_gunicorn import compared
from filled import Filled
from measure import Times, added, ratio

HEAVY = ("sqlalchemy", "sqlite3", "click", "cryptography")


class Row(NamedTuple):
    """What has no budget only informs."""

    what: str
    measured: str
    budget: str = ""
    within: bool | None = None

    def __str__(self) -> str:
        within = {True: "yes", False: "**no**", None: ""}[self.within]
        return f"| {self.what} | {self.measured} | {self.budget} | {within} |"


def times_row(what: str, values: Sequence[float], unit: str = "×", budget: float | None = None) -> Row:
    """One value for each number of live tokens, all of them at most ``budget``."""
    measured = " / ".join(f"{value:.2f}" for value in values) + f" {unit}"
    if budget is None:
        return Row(what, measured)
    return Row(what, measured, f"≤ {budget:g} {unit}", all(value <= budget for value in values))


def check_rows(times: Times, sizes: Sequence[int]) -> Iterator[Row]:
    floor = added(times, "floor", "bare")

    def floors(name: str, without: str = "bare") -> list[float]:
        return [ratio(added(times, f"{name} {size}", without), floor) for size in sizes]

    def microseconds(name: str) -> list[float]:
        return [median(added(times, f"{name} {size}", "bare")) / 1000 for size in sizes]

    reads = [added(times, f"read {size}", "bare") for size in sizes]
    unknown = [added(times, f"unknown {size}", "bare") for size in sizes]
    without_read = [
        ratio([mine - one for mine, one in zip(mines, read, strict=True)], floor)
        for mines, read in zip(unknown, reads, strict=True)
    ]
    yield Row("the floor: a hand-written check in front of the app", f"{median(floor) / 1000:.2f} µs")
    yield times_row("accepted, cached token, no rules", floors("accepted, no rules"), "floors", 2)
    yield times_row("accepted, cached token, four rules and public paths", floors("accepted"), "floors", 2)
    yield times_row("the same with `memory://`", [ratio(added(times, "memory", "bare"), floor)], "floors", 2)
    yield times_row("accepted, a path never seen before", floors("new path", "bare, new path"), "floors")
    yield times_row("refused: no header", floors("missing"), "floors", 10)
    yield times_row("refused: malformed token", floors("malformed"), "floors", 10)
    yield times_row("refused: expired token", floors("expired"), "floors", 10)
    yield times_row("refused: insufficient scope", floors("scope"), "floors", 10)
    yield times_row("refused: unknown token, beyond one indexed read by plain `sqlite3`", without_read, "floors", 10)
    yield times_row("one such read", microseconds("read"), "µs")
    yield times_row("first check of a token", microseconds("first"), "µs")
    yield times_row("look at the revocation log, once a second", microseconds("look"), "µs")


def issue_rows(times: Times, sizes: Sequence[int]) -> Iterator[Row]:
    by_hand = times["issue by hand"]
    yield Row("a hand-written token endpoint on plain `sqlite3`", f"{median(by_hand) / 1000:.1f} µs")
    ratios = [ratio(times[f"issue {size}"], by_hand) for size in sizes]
    yield times_row("token issued, opaque, SQLite", ratios, "× that", 2.5)


def growth_rows(times: Times, stores: Sequence[Filled], sizes: Sequence[int]) -> Iterator[Row]:
    first, last = sizes[0], sizes[-1]
    if first != last:
        for what, name, budget in (("cached check", "accepted", 1.1), ("first check", "first", 1.7)):
            grown = ratio(added(times, f"{name} {last}", "bare"), added(times, f"{name} {first}", "bare"))
            yield times_row(f"growth of a {what}", [grown], "×", budget)
        yield times_row("growth of an issue", [ratio(times[f"issue {last}"], times[f"issue {first}"])], "×", 1.2)
    yield times_row("bytes a token in the SQLite file", [store.bytes_a_token for store in stores], "bytes", 100)


def gunicorn_rows(found: dict[str, list[float]]) -> Iterator[Row]:
    shown = "{:.2f} × that ({:.2f} to {:.2f})"
    control, floor, protected = (compared(found, name) for name in ("control", "floor", "protected"))
    yield Row("requests/s behind gunicorn, two workers: the bare app", f"{median(found['bare']):.0f}")
    yield Row("a second server like it, which shows the noise", shown.format(*control))
    yield Row("the same with the floor", shown.format(*floor))
    yield Row("the same with the middleware", shown.format(*protected), "≥ 0.95 × that", protected[0] >= 0.95)


def import_row() -> Row:
    """Nothing heavy comes with the package until it is used."""
    program = f"import oauth_mw, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    names = ", ".join(f"`{name}`" for name in HEAVY)
    return Row(f"of {names}, imported by `import oauth_mw`", ", ".join(loaded) or "none", "none", not loaded)


def table(rows: Sequence[Row], sizes: Sequence[int]) -> str:
    live = " / ".join(f"{size:,}" for size in sizes)
    head = f"| what | measured, with {live} live tokens | budget | within |\n| --- | --- | --- | --- |"
    return "\n".join([head, *map(str, rows)])


def machine(engine: str = f"SQLite {sqlite3.sqlite_version}") -> str:
    libraries = f"{engine}, SQLAlchemy {version('SQLAlchemy')}, gunicorn {version('gunicorn')}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors; {libraries}."
