"""Measure the budgets of the design and print them as a table: ``python tests/benchmarks/run.py``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import repeat

from behind_gunicorn import processor_times
from engines import SQLite, path_of
from filled import filled
from measure import one_by_one, round_robin
from report import Row, check_rows, growth_rows, gunicorn_rows, import_row, issue_rows, machine, spread_of, table
from variants import all_variants, by_hand, issuing, token_request

ISSUES = 5000


def main() -> int:
    options = _options()
    sizes = sorted({int(size) for size in options.tokens.split(",")})
    rounds, turns = (150, 50) if options.quick else (1500, 300)
    started = time.monotonic()
    singly: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        _say(f"filling stores with {options.tokens} tokens")
        stores = [opened.enter_context(filled(SQLite(folder), str(size), size)) for size in sizes]
        _say(f"measuring, {rounds} rounds")
        times = round_robin(all_variants(folder, stores, sizes), rounds)
        _say(f"measuring behind gunicorn, {turns} rounds")
        served = processor_times(path_of(stores[-1].url), stores[-1].tokens[0], turns)
        for what, app in (("", issuing(stores[0])), (" by hand", by_hand(folder, sizes[0]))):
            spread = spread_of(one_by_one(app, repeat(token_request(), ISSUES)))
            singly.append(Row(f"an issue{what}, wall, sweeps included: median / 99th percentile / longest", spread))
        rows = [*check_rows(times, sizes), *issue_rows(times, sizes), *singly, *growth_rows(times, stores, sizes)]
        rows += [*gunicorn_rows(served), import_row()]
    print(table(rows, sizes))
    print(f"\n{machine()} {time.monotonic() - started:.0f} seconds.")
    return 0 if all(row.within is not False for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first impression")
    parser.add_argument("--tokens", default="10000,1000000", help="numbers of live tokens, separated by commas")
    return parser.parse_args()


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
