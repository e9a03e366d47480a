"""``oauth-mw report``: what the metrics of a running deployment say, as tables or as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click

from .figures import Figures, Operation, duration, figures, ordered, rate, share
from .groups import Remote
from .scraping import deployment_options, scraper
from .tables import columns, table
from .target import Target
from .terminal import Output, on_target

COUNTS = "accepted", "issued", "refused"  # of a client
CALLERS = 20  # shown to people; ``--json`` has all


@click.command(cls=Remote)
@deployment_options
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(1, 3600),
    help="Scrape twice, so many seconds apart, and count what happened in between.",
)
@on_target
def report(target: Target, /, url: str, interval: float | None, **options: Any) -> Output:
    """Show what a running deployment counts, by its metrics at URL.

    URL is that of the metrics path, such as https://api.example.com/metrics; /metrics if it has no path. Counts are
    those since the workers were started, or with --interval those between two scrapes. With several workers, the
    deployment must add them up: prometheus-client's multiprocess mode.

    A secret or token is never an argument: other users could read it in the process list.
    """
    deployment = scraper(url, **options)
    scrapes = [deployment.scrape()]
    if interval:
        time.sleep(interval)
        scrapes.append(deployment.scrape())
    found = figures(scrapes)
    return Output(view(deployment.url, int(time.time()), found), text(deployment.url, found))


def view(url: str, now: int, found: Figures) -> dict[str, object]:
    """For scripts."""
    return {
        "url": url,
        "time": now,
        "seconds": found.seconds,
        "checks": {name: _whole(count) for name, count in found.checks.items()},
        "tokens_issued": {name: _whole(count) for name, count in found.issued.items()},
        "tokens_revoked": _whole(found.revoked),
        "refusals": [
            {"endpoint": each.endpoint, "reason": each.reason, "count": _whole(each.times)} for each in found.refusals
        ],
        "clients": [
            {"client_id": each.client_id, **{name: _whole(getattr(each, name)) for name in COUNTS}}
            for each in found.callers
        ],
        "cache": {
            "hits": _whole(found.hits),
            "misses": _whole(found.misses),
            "hit_share": found.hit_share,
            "tokens": _whole(found.cached),
            "size": _whole(found.cache_size),
        },
        "store": {
            "up": found.store_up,
            "operations": [
                {
                    "operation": each.name,
                    "count": _whole(each.calls),
                    "failed": _whole(each.failed),
                    "mean_seconds": each.mean,
                    "p50_seconds": each.p50,
                    "p99_seconds": each.p99,
                }
                for each in found.operations
            ],
        },
        "revocation_log": {"events": _whole(found.log_events), "behind_seconds": found.log_behind},
        "signing_keys": [{"kid": kid, "age_seconds": age} for kid, age in found.key_ages.items()],
    }


def _whole(count: float | None) -> float | int | None:
    return int(count) if count is not None and count.is_integer() else count


def text(url: str, found: Figures) -> str:
    """For people."""
    since = f"in {duration(found.seconds)}" if found.seconds else "since it was started"
    parts = [f"{url}, {since}"]
    parts += _counted(found, ["CHECKS"], ordered(found.checks))
    parts += _counted(
        found,
        ["TOKENS"],
        [*((f"issued, {name}", count) for name, count in found.issued.items()), ("revoked", found.revoked)],
    )
    parts += _counted(found, ["REFUSED BY", "REASON"], found.refusals)
    if callers := [(each.client_id, *(f"{count:.0f}" for count in each[1:])) for each in found.callers[:CALLERS]]:
        parts.append(table(["CLIENT", "ACCEPTED", "TOKENS ISSUED", "REFUSED"], callers))
    if calls := [_calls(each) for each in found.operations if each.calls]:
        parts.append(table(["STORE", "CALLS", "FAILED", "MEAN", "50 % WITHIN", "99 % WITHIN"], calls))
    return "\n\n".join([*parts, columns(_state(found))])


def _counted(found: Figures, heads: list[str], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """A table whose rows end with a count, or none if there are no rows."""
    counted = [(*names, f"{count:.0f}", rate(found.per_second(count))) for *names, count in rows]
    if not found.seconds:
        return [table([*heads, "COUNT"], [row[:-1] for row in counted])] if counted else []
    return [table([*heads, "COUNT", "PER SECOND"], counted)] if counted else []


def _calls(each: Operation) -> tuple[str, ...]:
    times = (duration(seconds) for seconds in (each.mean, each.p50, each.p99))
    return each.name, f"{each.calls:.0f}", f"{each.failed:.0f}", *times


def _state(found: Figures) -> list[tuple[str, str]]:
    up = {True: "up", False: "does not answer", None: ""}[found.store_up]
    size = "" if found.cache_size is None else f", cache_size is {found.cache_size:.0f} in all processes"
    read = "" if found.log_behind is None else f", read {duration(found.log_behind)} ago"
    return [
        ("cache hits", share(found.hit_share)),
        ("cached tokens", "" if found.cached is None else f"{found.cached:.0f}{size}"),
        ("store", up),
        ("revocation log", "" if found.log_events is None else f"{found.log_events:.0f} events{read}"),
        *((f"signing key {kid}", f"{duration(age)} old") for kid, age in found.key_ages.items()),
    ]
