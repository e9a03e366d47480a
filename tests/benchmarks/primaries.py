"""Measure Redis on one server and in clusters of one and three primaries: ``python tests/benchmarks/primaries.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat

from by_hand import bare
from crowd import issuing_rows
from engines import own_redis
from filled import filled
from growth import BUDGETS, cost_rows, operations
from measure import Variant, round_robin
from on_redis import Redis
from report import Row, options_of, printed, say, with_live
from variants import HOT, request

# A primary of a cluster has a replica, which must have each revocation before it is answered.
SERVERS = {"one server": ("redis", 1), "1 primary": ("redis+cluster", 1), "3 primaries": ("redis+cluster", 3)}


def rows(options: argparse.Namespace) -> Iterator[Row | str]:
    rounds, turns = (100, 8) if options.quick else (400, 25)
    with ExitStack() as opened:
        engines = {name: Redis(opened.enter_context(own_redis(*kind))) for name, kind in SERVERS.items()}
        variants = [Variant("bare", bare, repeat([request()] * HOT))]
        for name, engine in engines.items():
            variants += operations(engine, opened.enter_context(filled(engine, "some", options.tokens)), name)
        say(f"measuring, {rounds} rounds")
        yield from cost_rows(round_robin(variants, rounds), list(engines), dict.fromkeys(BUDGETS))
        for name, engine in engines.items():
            say(f"issuing beside each other, {name}")
            yield from (row._replace(what=f"{name}: {row.what}") for row in issuing_rows(engine, turns))
        yield engines["one server"].version()


def main() -> int:
    parser = options_of(__doc__)
    parser.add_argument("--tokens", type=int, default=100_000, help="number of live tokens in each store")
    options = parser.parse_args()
    return printed(" / ".join(SERVERS), with_live([options.tokens]), rows(options))


if __name__ == "__main__":
    sys.exit(main())
