"""How the cost of each operation grows with the number of live tokens: stores of all sizes, used in turns."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, repeat
from time import perf_counter_ns

from by_hand import after, bare
from engines import Engine
from filled import LIFETIME, Filled, add_expired
from measure import App, Batch, Environ, Interval, Times, Variant, added, interval, microseconds, ratio
from report import Row, times_row
from variants import (
    HOT,
    ISSUES,
    RULES,
    UNCACHED,
    batches_of,
    floor_of,
    request,
    revocation_request,
    slices,
    token_request,
    with_token,
)

from oauth_mw import OAuthMiddleware

REVOCATIONS = 2
SWEPT = 500
SWEEP = f"sweep {SWEPT} expired rows"

# What they may cost at any size, as a ratio to the smallest.
BUDGETS = {"cached check": 1.05, "first check": 1.4, "issue": 1.1, "revoke": None, SWEEP: None}


def growth_variants(engine: Engine, stores: Sequence[Filled]) -> list[Variant]:
    hot = stores[0].tokens[:HOT]
    variants = [
        Variant("bare", bare, repeat([request()] * HOT)),
        Variant("floor", floor_of(hot), repeat([with_token(text) for text in hot])),
    ]
    for filled in stores:
        variants += operations(engine, filled, filled.count)
    return variants


def operations(engine: Engine, filled: Filled, name: object) -> Iterator[Variant]:
    """What a store that holds so many tokens does. The variants' names end with ``name``."""

    def sweep(environ: Environ) -> None:
        swept = filled.store.sweep(int(time.time()), SWEPT)
        if swept != SWEPT:
            raise SystemExit(f"{swept} rows were swept, not {SWEPT}")

    checked, revoked = filled.tokens[: len(filled.tokens) // 2], filled.tokens[len(filled.tokens) // 2 :]
    app = OAuthMiddleware(bare, store=filled.store, **RULES)
    cold = OAuthMiddleware(bare, store=filled.store, cache_size=UNCACHED, **RULES)
    hot = [with_token(text) for text in checked[:HOT]]
    yield Variant(f"cached check {name}", app, _warm(app, repeat(hot)))
    first = batches_of([with_token(text) for text in checked])
    yield Variant(f"first check {name}", cold, _warm(cold, first), clock=perf_counter_ns)
    yield Variant(f"issue {name}", app, repeat([token_request()] * ISSUES), clock=perf_counter_ns)
    revocations = iter(slices([revocation_request(text) for text in revoked], REVOCATIONS))
    yield Variant(f"revoke {name}", app, revocations, clock=perf_counter_ns)
    if engine.sweeps:
        yield Variant(f"{SWEEP} {name}", after(sweep), _backlogs(engine, filled), clock=perf_counter_ns)


def _warm(app: App, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches, each after a look at what others revoked meanwhile, which is no part of a check's cost."""
    for batch in batches:
        app(with_token("not a token"), lambda status, headers: None)
        yield batch


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
    yield from cost_rows(times, [filled.count for filled in stores], BUDGETS)


def cost_rows(times: Times, names: Sequence[object], budgets: Mapping[str, float | None]) -> Iterator[Row]:
    """What each operation costs in each store, by the names of the stores."""
    for what, budget in budgets.items():
        if f"{what} {names[0]}" not in times:
            yield Row(what, "no work: the engine does it")
            continue
        costs = [added(times, f"{what} {name}", "bare") for name in names]
        grown = [ratio(cost, costs[0]) for cost in costs]
        yield figures(what, [microseconds(cost).middle for cost in costs], "µs", grown, budget)


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
