"""Measure how a store carries many tokens and many writers: ``python tests/benchmarks/scale.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from crowd import issuing_rows, memory_row, sweeping_rows
from engines import engine_of
from filled import SAMPLE, filled
from growth import bytes_row, growth_rows, growth_variants
from measure import round_robin
from report import Row, options_of, printed, say, with_live

HELP = "URL of a store, or postgresql, redis or redis+cluster for a new server or three; default: SQLite"


def rows(options: argparse.Namespace) -> Iterator[Row | str]:
    rounds, turns, backlog = (100, 8, 200_000) if options.quick else (400, 25, 1_000_000)
    with engine_of(options.store) as engine, ExitStack() as opened:
        say(f"filling stores with {', '.join(map(str, options.tokens))} tokens")
        stores = [opened.enter_context(filled(engine, str(size), size)) for size in options.tokens]
        say("starting workers")
        resident = [bytes_row(stores), memory_row(stores)]
        say(f"measuring, {rounds} rounds")
        yield from growth_rows(round_robin(growth_variants(engine, stores), rounds), stores)
        yield from resident
        say("issuing beside a purge")
        yield from sweeping_rows(engine, backlog)
        say("issuing beside each other")
        yield from issuing_rows(engine, turns)
        yield engine.version()


def main() -> int:
    parser = options_of(__doc__)
    parser.add_argument("--store", help=HELP)
    parser.add_argument("--tokens", type=_sizes, default="10000,100000,1000000", help="numbers of live tokens, with ,")
    options = parser.parse_args()
    return printed("what", with_live(options.tokens), rows(options))


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(size) for size in text.split(",")})
    if sizes[0] < SAMPLE:
        raise argparse.ArgumentTypeError(f"at least {SAMPLE} tokens, so that none comes twice too soon")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
