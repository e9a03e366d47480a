"""Measure how a store carries many tokens and many writers: ``python tests/benchmarks/scale.py``."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack

from crowd import issuing_rows, memory_row, sweeping_rows
from engines import engine_of
from filled import SAMPLE, filled
from growth import bytes_row, growth_rows, growth_variants
from measure import round_robin
from report import Row, machine, table

HELP = "URL of a store, or postgresql, redis or redis+cluster for a new server or three; default: SQLite"


def main() -> int:
    options = _options()
    rounds, turns, backlog = (100, 8, 200_000) if options.quick else (400, 25, 1_000_000)
    started = time.monotonic()
    rows: list[Row] = []
    with engine_of(options.store) as engine, ExitStack() as opened:
        _say(f"filling stores with {', '.join(map(str, options.tokens))} tokens")
        stores = [opened.enter_context(filled(engine, str(size), size)) for size in options.tokens]
        _say("starting workers")
        resident = [bytes_row(stores), memory_row(stores)]
        _say(f"measuring, {rounds} rounds")
        rows += growth_rows(round_robin(growth_variants(engine, stores), rounds), stores)
        rows += resident
        _say("issuing beside a purge")
        rows += sweeping_rows(engine, backlog)
        _say("issuing beside each other")
        rows += issuing_rows(engine, turns)
        version = engine.version()
    print(table(rows, options.tokens))
    print(f"\n{machine(version)} {time.monotonic() - started:.0f} seconds.")
    return 0 if all(row.within is not False for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", help=HELP)
    parser.add_argument("--tokens", type=_sizes, default="10000,100000,1000000", help="numbers of live tokens, with ,")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first impression")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(size) for size in text.split(",")})
    if sizes[0] < SAMPLE:
        raise argparse.ArgumentTypeError(f"at least {SAMPLE} tokens, so that none comes twice too soon")
    return sizes


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
