"""What ``oauth-mw top`` shows, drawn by rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .figures import Caller, Figures, Scrape, duration, figures, ordered, rate, share

WINDOW_SECONDS = 10.0  # of the rates: a worker's counts are up to a second old
HISTORY = 60
_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = {"accepted": "green", "refused": "yellow", "unavailable": "red"}
_FEW_REFUSALS, _MOST_CALLERS = 3, 5


@dataclass(frozen=True)
class Watched:
    """What is known of a deployment: the last scrapes, checks per second between them, and what went wrong since."""

    url: str
    scrapes: Sequence[Scrape]
    history: tuple[float, ...] = ()
    trouble: str = ""

    def after(self, scrape: Scrape) -> Watched:
        found = figures([self.scrapes[-1], scrape])
        checks = found.per_second(sum(found.checks.values())) or 0.0
        recent = [*self.scrapes, scrape]
        while len(recent) > 2 and scrape.at - recent[1].at >= WINDOW_SECONDS:
            del recent[0]
        return replace(self, scrapes=recent, history=(*self.history, checks)[-HISTORY:], trouble="")

    def missing(self, trouble: str) -> Watched:
        return replace(self, trouble=trouble)


def drawn(watched: Watched, height: int) -> RenderableType:
    """A screen of at most ``height`` lines, unless that is very low."""
    total = figures(watched.scrapes[-1:])
    recent = figures(watched.scrapes) if len(watched.scrapes) > 1 else total
    head = Text(watched.url, style="bold", no_wrap=True, overflow="ellipsis")
    window = f"rates of the last {duration(recent.seconds)}" if recent.seconds else "first rates in a moment"
    state = Text(f"{window}, q ends", style="dim")
    course = Text(f"all checks {line(watched.history)}", style="cyan", no_wrap=True)
    trouble = [Text(watched.trouble, style="bold red")] if watched.trouble else []
    left = Group(_checks(recent), Text(), _tokens(recent, total), Text(), _state(total, recent))
    right = _events(recent, total, height - 4 - len(trouble))
    both = Table.grid(padding=(0, 3, 0, 0))
    both.add_row(left, right)
    return Group(head, state, course, *trouble, Text(), both)


def _table(*heads: str) -> Table:
    """Names on the left, numbers after them on the right."""
    table = Table(box=None, pad_edge=False, header_style="bold cyan")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place and head != "REASON" else "left", no_wrap=True)
    return table


def _checks(recent: Figures) -> Table:
    table = _table("CHECKS", "PER S")
    for name, count in ordered(recent.checks):
        per_second = recent.per_second(count)
        style = _COLOURS.get(name, "") if per_second else "dim"
        table.add_row(Text(name, style=style), Text(rate(per_second), style=style))
    table.add_row("all", rate(recent.per_second(sum(recent.checks.values()))))
    return table


def _tokens(recent: Figures, total: Figures) -> Table:
    table = _table("TOKENS", "PER S", "TOTAL")
    for name, count in total.issued.items():
        per_second = recent.per_second(recent.issued.get(name, 0.0))
        table.add_row(Text(f"issued, {name}"), rate(per_second), f"{count:.0f}")
    table.add_row("revoked", rate(recent.per_second(recent.revoked)), f"{total.revoked:.0f}")
    return table


def _events(recent: Figures, total: Figures, height: int) -> Group:
    """Refusals, the most active clients, and the calls of the store, which have their place first."""
    store = _store(recent)
    room = height - store.row_count - 4  # without heads, a line between both, and one that says how many are left out
    callers = recent.callers[: max(min(_MOST_CALLERS, room - _FEW_REFUSALS - 2), 0)] if recent.seconds else []
    refusals = _refusals(recent, total, max(_FEW_REFUSALS, room - (len(callers) + 2 if callers else 0)))
    parts: list[RenderableType] = [refusals, Text()]
    if callers:
        parts += [_callers(recent, callers), Text()]
    return Group(*parts, store)


def _refusals(recent: Figures, total: Figures, most: int) -> Table:
    """The most frequent of the last seconds first, then those of before."""
    now = {(each.endpoint, each.reason): each.times for each in recent.refusals}
    rows = sorted(total.refusals, key=lambda each: (-now.get((each.endpoint, each.reason), 0.0), -each.times))
    table = _table("REFUSED BY", "REASON", "PER MIN", "TOTAL")
    for each in rows[:most]:
        count = now.get((each.endpoint, each.reason), 0.0) if recent.seconds else 0.0
        per_minute = recent.per_second(count * 60)
        style = "yellow" if per_minute else "dim"
        cells = each.endpoint, each.reason, rate(per_minute), f"{each.times:.0f}"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    if len(rows) > most:
        table.add_row("", Text(f"{len(rows) - most} more", style="dim"))
    return table


def _callers(recent: Figures, callers: Sequence[Caller]) -> Table:
    table = _table("CLIENT, PER MIN", "ACCEPTED", "ISSUED", "REFUSED")
    for each in callers:
        counts = (rate(recent.per_second(count * 60)) for count in each[1:])
        table.add_row(Text(each.client_id), *counts)
    return table


def _store(recent: Figures) -> Table:
    table = _table("STORE", "PER S", "50 %", "99 %", "FAILED")
    for each in recent.operations:
        if each.calls:
            figures = rate(recent.per_second(each.calls)), duration(each.p50), duration(each.p99), f"{each.failed:.0f}"
            table.add_row(Text(each.name), *figures, style="red" if each.failed else "")
    return table


def _state(total: Figures, recent: Figures) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value, style in _states(total, recent):
        table.add_row(Text(name, style="bold cyan"), Text(value, style=style))
    return table


def _states(total: Figures, recent: Figures) -> Iterable[tuple[str, str, str]]:
    if total.store_up is not None:
        yield "STORE", *(("up", "green") if total.store_up else ("does not answer", "bold red"))
    if recent.hit_share is not None:
        yield "CACHE HITS", share(recent.hit_share), ""
    if total.cached is not None:
        size = "" if total.cache_size is None else f", size {total.cache_size:.0f}"
        yield "CACHED", f"{total.cached:.0f}{size}", ""
    if total.log_behind is not None:
        yield "LOG READ", f"{duration(total.log_behind)} ago", ""
    for kid, age in total.key_ages.items():
        yield "KEY", f"{kid if len(kid) <= 6 else kid[:5] + '…'}, {duration(age)} old", ""


def line(values: Sequence[float]) -> str:
    """A bar for each value, the highest as high as a line."""
    most = max(values, default=0.0)
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] if most else _BARS[0] for value in values)
