"""Measure whether the time of a refusal says that a client id exists: ``python tests/benchmarks/client_ids.py``.

The secret is wrong in every request. What is compared is the whole answer of the token endpoint, at the WSGI call.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import cycle
from random import Random
from statistics import median
from time import perf_counter_ns, thread_time_ns

from by_hand import bare
from engines import engine_of
from measure import Batch, Environ, Variant, ratio, round_robin
from report import Row, options_of, printed
from variants import token_request

from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.credentials import MAX_SECRETS
from oauth_mw.model import MAX_SCOPES
from oauth_mw.protocols import Store

STORES = ("memory", "sqlite", "postgresql", "redis")
OF_EACH = 20
MANY_SCOPES = " ".join(f"reports:{number}:read" for number in range(MAX_SCOPES))
MANY_ATTRIBUTES = {f"attribute-{number:02}": "x" * 80 for number in range(18)}
WRONG = "7Kq2vX9mB4tR8wZ1nC5yL6hD3sF0gK"
UNKNOWN = "unknown"
COUNTED = "1000000000/day 1000000000/day"  # counted as by default, and never too many
_chance = Random("benchmarks")


def registered(store: Store) -> dict[str, list[str]]:
    """Ids by what is known of them, all of one length; they were added in random order."""
    kinds = (UNKNOWN, "unknown too", "known", "five secrets", "many scopes", "many attributes", "disabled", "deleted")
    ids = [(kind, f"client-{_chance.randrange(10**12):012}") for kind in kinds for _ in range(OF_EACH)]
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for kind, client_id in _chance.sample(ids, len(ids)):
        found[kind].append(client_id)
        if kind.startswith(UNKNOWN):
            continue
        admin.add_client(
            store,
            "a client",
            client_id=client_id,
            scope=MANY_SCOPES if kind == "many scopes" else "reports:read",
            attributes=MANY_ATTRIBUTES if kind == "many attributes" else {},
        )
        for _ in range(MAX_SECRETS - 1 if kind == "five secrets" else 0):
            admin.add_secret(store, client_id)
        if kind == "disabled":
            admin.disable_client(store, client_id)
        if kind == "deleted":
            admin.delete_client(store, client_id)
    return found


def refused(client_id: str) -> Environ:
    header = "Basic " + b64encode(f"{client_id}:{WRONG}".encode()).decode()
    return {**token_request(), "HTTP_AUTHORIZATION": header, "wsgi.multiprocess": False}


def batches(ids: list[str]) -> Iterator[Batch]:
    return cycle([[refused(client_id) for client_id in _chance.sample(ids, len(ids))] for _ in range(OF_EACH)])


@contextmanager
def opened(kind: str) -> Iterator[Store]:
    if kind == "memory":
        yield open_store("memory://")
        return
    with engine_of(None if kind == "sqlite" else kind) as engine, engine.place("ids") as url:
        with closing(open_store(url, create=True)) as store:
            yield store


def rows_of(kind: str, rounds: int) -> Iterator[Row]:
    clock = thread_time_ns if kind in ("memory", "sqlite") else perf_counter_ns
    with opened(kind) as store:
        app = OAuthMiddleware(bare, store=store, throttle=COUNTED)
        ids = registered(store)
        times = round_robin([Variant(each, app, batches(some), "401", clock) for each, some in ids.items()], rounds)
    yield Row(f"{kind}: unknown", f"{median(times[UNKNOWN]) / 1000:.1f} µs")
    for each in list(ids)[1:]:
        low, share, high = ratio(times[each], times[UNKNOWN])
        measured = f"{share:.3f} × ({low:.3f} to {high:.3f})"
        yield Row(f"{kind}: {each}", measured, "0.95 to 1.05 ×", 0.95 <= low and high <= 1.05)


def main() -> int:
    parser = options_of(__doc__)
    parser.add_argument("stores", nargs="*", help=f"some of: {', '.join(STORES)}")
    options = parser.parse_args()
    rounds = 200 if options.quick else 2000
    rows = (row for kind in options.stores or STORES for row in rows_of(kind, rounds))
    return printed("a refusal takes", "measured, with 95 % certainty", rows)


if __name__ == "__main__":
    sys.exit(main())
