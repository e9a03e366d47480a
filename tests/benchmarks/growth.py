"""How the cost of each operation grows with the number of live tokens: stores of all sizes, asked in turns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, cycle, repeat
from time import perf_counter_ns
from typing import Any

from by_hand import bare
from engines import Engine
from filled import LIFETIME, Filled, add_expired
from measure import App, Batch, Environ, Interval, Times, Variant, added, interval, microseconds, ratio
from report import Row, times_row
from variants import (
    COLD,
    HOT,
    ISSUES,
    RULES,
    UNCACHED,
    floor_of,
    request,
    revocation_request,
    token_request,
    with_token,
)

from oauth_mw import OAuthMiddleware
from oauth_mw.protocols import Store

REVOCATIONS = 2
SWEPT = 500

# What they may cost at any size, as a ratio to the smallest.
BUDGETS = {"cached check": 1.05, "first check": 1.4, "issue": 1.1, "revoke": None, f"sweep {SWEPT} expired rows": None}


def growth_variants(engine: Engine, stores: Sequence[Filled]) -> list[Variant]:
    hot = stores[0].tokens[:HOT]
    variants = [
        Variant("bare", bare, repeat([request()] * HOT)),
        Variant("floor", floor_of(hot), repeat([with_token(text) for text in hot])),
    ]
    for filled in stores:
        variants += [_named(filled, variant) for variant in operations(engine, filled)]
    return variants


def _named(filled: Filled, variant: Variant) -> Variant:
    variant.name = f"{variant.name} {filled.count}"
    return variant


def operations(engine: Engine, filled: Filled) -> Iterator[Variant]:
    """What a store that holds so many tokens does."""
    checked, revoked = filled.tokens[: len(filled.tokens) // 2], filled.tokens[len(filled.tokens) // 2 :]
    app = OAuthMiddleware(bare, store=filled.store, **RULES)
    cold = OAuthMiddleware(bare, store=filled.store, cache_size=UNCACHED, **RULES)
    hot = [with_token(text) for text in checked[:HOT]]
    yield Variant("cached check", app, _warm(app, repeat(hot)))
    first = cycle(_slices([with_token(text) for text in checked], COLD))
    yield Variant("first check", cold, _warm(cold, first), clock=perf_counter_ns)
    yield Variant("issue", app, repeat([token_request()] * ISSUES), clock=perf_counter_ns)
    revocations = iter(_slices([revocation_request(text) for text in revoked], REVOCATIONS))
    yield Variant("revoke", app, revocations, clock=perf_counter_ns)
    if engine.sweeps:
        yield Variant(
            f"sweep {SWEPT} expired rows", Sweep(filled.store), _backlogs(engine, filled), clock=perf_counter_ns
        )


class Sweep:
    """An app that sweeps at each request."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        swept = self._store.sweep(int(time.time()), SWEPT)
        start_response("200 OK" if swept == SWEPT else f"500 {swept} swept", [])
        return []


def _warm(app: App, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches, each after a look at what others revoked meanwhile, which is no part of a check's cost."""
    for batch in batches:
        app(with_token("not a token"), lambda status, headers: None)
        yield batch


def _slices(environs: Sequence[Environ], length: int) -> list[Batch]:
    return [environs[start : start + length] for start in range(0, len(environs) - length + 1, length)]


def _backlogs(engine: Engine, filled: Filled) -> Iterator[Batch]:
    """One request, each time that so many expired rows lie there."""
    # As in real life, what is to be swept expired after all that was swept before.
    for second in count(int(time.time()) - LIFETIME):
        add_expired(engine, filled.url, SWEPT, range(second, second + 1))
        yield [request()]


def growth_rows(times: Times, stores: Sequence[Filled]) -> Iterator[Row]:
    base = added(times, "floor", "bare")
    floors = [ratio(added(times, f"cached check {filled.count}", "bare"), base) for filled in stores]
    yield times_row("cached check", floors, "floors", 1.5)
    for name, budget in BUDGETS.items():
        if f"{name} {stores[0].count}" not in times:
            yield Row(name, "no work: the engine does it")
            continue
        costs = [added(times, f"{name} {filled.count}", "bare") for filled in stores]
        grown = [ratio(cost, costs[0]) for cost in costs]
        yield figures(name, [microseconds(cost).middle for cost in costs], "µs", grown, budget)


def bytes_row(stores: Sequence[Filled]) -> Row:
    sizes = [filled.bytes_a_token for filled in stores]
    return figures("a token takes in the engine", sizes, "bytes", [interval([size / sizes[0]]) for size in sizes])


def figures(
    what: str, values: Sequence[float], unit: str, grown: Sequence[Interval], budget: float | None = None
) -> Row:
    """A value for each size, and how much it is of the first."""
    measured = " / ".join(f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in values)
    row = times_row(what, grown, "×", budget)
    return row._replace(measured=f"{measured} {unit}; {row.measured}")
