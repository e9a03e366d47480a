"""The table: what was measured, against what the design allows."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import NamedTuple

from filled import Filled
from measure import Interval, Times, added, microseconds, percentile, ratio

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


def times_row(what: str, values: Sequence[Interval], unit: str = "×", budget: float | None = None) -> Row:
    """One value for each number of live tokens. All of them are at most ``budget``, by the high ends of intervals."""
    measured = " / ".join(map(str, values)) + f" {unit}"
    if budget is None:
        return Row(what, measured)
    return Row(what, measured, f"≤ {budget:g} {unit}", all(value.high <= budget for value in values))


def spread_of(seconds: Sequence[float]) -> str:
    shown = (percentile(seconds, 50), percentile(seconds, 99), max(seconds))
    return " / ".join(f"{each * 1000:.3f}" for each in shown) + f" ms ({len(seconds):,})"


def check_rows(times: Times, sizes: Sequence[int]) -> Iterator[Row]:
    floor = added(times, "floor", "bare")

    def floors(name: str, base: Sequence[float] = floor, without: str = "bare") -> list[Interval]:
        return [ratio(added(times, f"{name} {size}", without), base) for size in sizes]

    def costs(name: str) -> list[list[float]]:
        return [added(times, f"{name} {size}", "bare") for size in sizes]

    def reads(name: str, read: str) -> list[Interval]:
        return [ratio(cost, base) for cost, base in zip(costs(name), costs(read), strict=True)]

    yield times_row("the floor: a hand-written check in front of the app", [microseconds(floor)], "µs")
    yield times_row("accepted, cached token, no rules", floors("accepted, no rules"), "floors", 1.5)
    yield times_row("accepted, cached token, four rules and public paths", floors("accepted"), "floors", 1.5)
    yield times_row("the same with `memory://`", [ratio(added(times, "memory", "bare"), floor)], "floors")
    for name in ("half of `cache_size`", "`cache_size`", "four threads"):
        without = "bare, four threads" if name == "four threads" else "bare"
        base = added(times, f"floor, {name}", without)
        many = [ratio(added(times, f"accepted, {name} {size}", without), base) for size in sizes[:1]]
        what = name if name == "four threads" else f"{name} tokens of 20 clients in turns"
        yield times_row(f"accepted, {what}, as a multiple of a floor with the same", many, "floors", 1.5)
    yield times_row("accepted, a path never seen before", floors("new path", without="bare, new path"), "floors")
    yield times_row("refused: no header", floors("missing"), "floors", 4)
    yield times_row("refused: malformed token", floors("malformed"), "floors", 4)
    yield times_row("refused: expired token", floors("expired"), "floors", 10)
    yield times_row("refused: insufficient scope", floors("scope"), "floors", 10)
    yield times_row("one indexed read by plain `sqlite3`", list(map(microseconds, costs("read"))), "µs")
    yield times_row("the same, where there is no such row", list(map(microseconds, costs("read nothing"))), "µs")
    yield times_row("refused: unknown token", reads("unknown", "read nothing"), "such reads", 2.5)
    yield times_row("first check of a token", reads("first", "read"), "reads", 2.5)
    yield times_row("look at the revocation log, once a second", list(map(microseconds, costs("look"))), "µs")


def issue_rows(times: Times, sizes: Sequence[int]) -> Iterator[Row]:
    for clock in ("processor time", "wall"):
        by_hand = times[f"issue by hand, {clock}"]
        what = f"a hand-written token endpoint on plain `sqlite3`, {clock}"
        yield times_row(what, [microseconds(by_hand)], "µs")
        ratios = [ratio(times[f"issue, {clock} {size}"], by_hand) for size in sizes]
        yield times_row(f"token issued, opaque, SQLite, {clock}", ratios, "× that", 2)


def growth_rows(times: Times, stores: Sequence[Filled], sizes: Sequence[int]) -> Iterator[Row]:
    first, last = sizes[0], sizes[-1]
    if first != last:
        for what, name, budget in (("cached check", "accepted", 1.05), ("first check", "first", 1.4)):
            grown = ratio(added(times, f"{name} {last}", "bare"), added(times, f"{name} {first}", "bare"))
            yield times_row(f"growth of a {what}", [grown], "×", budget)
        issues = [times[f"issue, processor time {size}"] for size in (last, first)]
        yield times_row("growth of an issue", [ratio(*issues)], "×", 1.1)
    sizes_of = [store.bytes_a_token for store in stores]
    measured = " / ".join(f"{size:.1f}" for size in sizes_of) + " bytes"
    yield Row("a token in the SQLite file", measured, "≤ 80 bytes", max(sizes_of) <= 80)


def gunicorn_rows(found: Times) -> Iterator[Row]:
    yield times_row("processor time of a request behind gunicorn: the bare app", [microseconds(found["bare"])], "µs")
    for what, name, budget in (
        ("a second server like it, which shows the noise", "control", None),
        ("the same with the floor", "floor", None),
        ("the same with the middleware", "protected", 1.1),
    ):
        yield times_row(what, [ratio(found[name], found["bare"])], "× that", budget)


def import_row() -> Row:
    """Nothing heavy comes with the package until it is used."""
    program = f"import oauth_mw, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    names = ", ".join(f"`{name}`" for name in HEAVY)
    return Row(f"of {names}, imported by `import oauth_mw`", ", ".join(loaded) or "none", "none", not loaded)


def options_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first impression")
    return parser


def say(what: str) -> None:
    print(f"{what} …", file=sys.stderr)


def printed(what: str, measured: str, found: Iterable[Row | str]) -> int:
    """Print a table, each row as soon as it is there, and what it was measured with. Return 1 if a budget was exceeded.

    :param what: the title of the first column.
    :param measured: the title of the second one.
    :param found: the rows, and the names and versions of engines and libraries.
    """
    started, exceeded, versions = time.monotonic(), False, []
    print(f"| {what} | {measured} | budget | within |\n| --- | --- | --- | --- |")
    for each in found:
        if isinstance(each, Row):
            print(each, flush=True)
            exceeded |= each.within is False
        else:
            versions.append(each)
    versions += [f"{name} {version(name)}" for name in ("SQLAlchemy", "gunicorn")]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    print(f"\n{machine}; {', '.join(versions)}. {time.monotonic() - started:.0f} seconds.")
    return int(exceeded)


def with_live(sizes: Sequence[int]) -> str:
    return f"measured, with {' / '.join(f'{size:,}' for size in sizes)} live tokens"
