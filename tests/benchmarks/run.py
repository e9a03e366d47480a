"""Measure the budgets of the design and print them as a table: ``python tests/benchmarks/run.py``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat

from audited import audit_rows
from behind_gunicorn import processor_times
from engines import SQLITE, SQLite, path_of
from filled import filled
from measure import one_by_one, round_robin
from report import (
    Row,
    check_rows,
    growth_rows,
    gunicorn_rows,
    import_row,
    issue_rows,
    options_of,
    printed,
    say,
    spread_of,
    with_live,
)
from variants import all_variants, by_hand, issuing, token_request

ISSUES = 5000


def rows(sizes: list[int], *, quick: bool) -> Iterator[Row | str]:
    rounds, turns = (150, 50) if quick else (1500, 300)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        say(f"filling stores with {', '.join(map(str, sizes))} tokens")
        stores = [opened.enter_context(filled(SQLite(folder), str(size), size)) for size in sizes]
        say(f"measuring, {rounds} rounds")
        times = round_robin(all_variants(folder, stores, sizes), rounds)
        yield from (*check_rows(times, sizes), *issue_rows(times, sizes))
        for what, app in (("", issuing(stores[0])), (" by hand", by_hand(folder, sizes[0]))):
            spread = spread_of(one_by_one(app, repeat(token_request(), ISSUES)))
            yield Row(f"an issue{what}, wall, sweeps included: median / 99th percentile / longest", spread)
        say(f"measuring with the audit trail, {turns} rounds")
        yield from audit_rows(folder, stores[0], turns)
        yield from growth_rows(times, stores, sizes)
        say(f"measuring behind gunicorn, {turns} rounds")
        yield from gunicorn_rows(processor_times(path_of(stores[-1].url), stores[-1].tokens[0], turns))
        yield import_row()
        yield SQLITE


def main() -> int:
    parser = options_of(__doc__)
    parser.add_argument("--tokens", default="10000,1000000", help="numbers of live tokens, separated by commas")
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.tokens.split(",")})
    return printed("what", with_live(sizes), rows(sizes, quick=options.quick))


if __name__ == "__main__":
    sys.exit(main())
