"""Measure Redis on one server and in clusters of one and three primaries: ``python tests/benchmarks/primaries.py``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat

from by_hand import bare
from crowd import issuing_rows
from engines import Engine, own_redis
from filled import Filled, filled
from growth import figures, operations
from measure import Times, Variant, added, microseconds, ratio, round_robin
from on_redis import Redis
from report import Row, machine, table
from variants import HOT, request

# A primary of a cluster has a replica, which must have each revocation before it is answered.
SERVERS = {"one server": ("redis", 1), "1 primary": ("redis+cluster", 1), "3 primaries": ("redis+cluster", 3)}
WHATS = ("cached check", "first check", "issue", "revoke")


def main() -> int:
    options = _options()
    started = time.monotonic()
    with ExitStack() as opened:
        engines = {name: Redis(opened.enter_context(own_redis(*kind))) for name, kind in SERVERS.items()}
        stores = {name: opened.enter_context(filled(each, "some", options.tokens)) for name, each in engines.items()}
        variants = [Variant("bare", bare, repeat([request()] * HOT))]
        for name, store in stores.items():
            variants += _named(name, engines[name], store)
        print(f"measuring, {options.rounds} rounds …", file=sys.stderr)
        rows = list(_rows(round_robin(variants, options.rounds)))
        for name, engine in engines.items():
            print(f"issuing beside each other, {name} …", file=sys.stderr)
            rows += [row._replace(what=f"{name}: {row.what}") for row in issuing_rows(engine, options.turns)]
        version = engines["one server"].version()
    print(f"{' / '.join(SERVERS)}:\n\n{table(rows, [options.tokens])}")
    print(f"\n{machine(version)} {time.monotonic() - started:.0f} seconds.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000, help="number of live tokens in each store")
    parser.add_argument("--rounds", type=int, default=400, help="how often each operation is measured")
    parser.add_argument("--turns", type=int, default=8, help="how often one process and several issue in turns")
    return parser.parse_args()


def _named(name: str, engine: Engine, store: Filled) -> Iterator[Variant]:
    for variant in operations(engine, store):
        variant.name = f"{variant.name}, {name}"
        yield variant


def _rows(times: Times) -> Iterator[Row]:
    for what in WHATS:
        costs = [added(times, f"{what}, {name}", "bare") for name in SERVERS]
        grown = [ratio(cost, costs[0]) for cost in costs]
        yield figures(what, [microseconds(cost).middle for cost in costs], "µs", grown)


if __name__ == "__main__":
    sys.exit(main())
