"""Measure what cached tokens take, and how many the cache holds: ``python tests/benchmarks/cached.py``."""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from by_hand import bare
from engines import SQLITE
from filled import CLIENT_ID, LIFETIME, SECRET
from measure import App
from report import Row, options_of, printed
from variants import issued, with_token

from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.model import TokenRecord
from oauth_mw.protocols import Store

SIZE = 10_000  # what cache_size is by default
SCOPES = (2, 20, 100, 200)
SHARES = (0.5, 0.8, 1.0, 1.1)
FORMATS = {"opaque": {}, "jwt": {"issuer": "https://api.example.com", "token_format": "jwt"}}
MOST_BYTES = 1000


class Counted:
    """A store that counts the reads of tokens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def find_token(self, key: bytes) -> TokenRecord | None:
        self.reads += 1
        return self._store.find_token(key)


def served(folder: str, scopes: int, token_format: str) -> tuple[Counted, App]:
    """A new store with a client of so many scopes, and a guarded app."""
    store = Counted(open_store(f"sqlite:///{folder}/{time.monotonic_ns()}.db", create=True))
    scope = " ".join(f"reports:read:{number}" for number in range(scopes))
    fields = {"scope": scope, "lifetime": LIFETIME, "public_attributes": {"tier": "gold", "quota": 5}}
    admin.add_client(store, "", client_id=CLIENT_ID, secret=SECRET, **fields)
    return store, OAuthMiddleware(bare, store=store, **FORMATS[token_format])


def check(app: App, texts: Iterable[str]) -> None:
    for text in texts:
        app(with_token(text), lambda status, headers: None)


def bytes_a_token(folder: str, scopes: int, token_format: str) -> float:
    """Of as many as a worker holds at most: the twice ``cache_size`` that were used last."""
    _, app = served(folder, scopes, token_format)
    texts = issued(app, 2 * SIZE)
    check(app, texts[:1])
    gc.collect()
    tracemalloc.start()
    check(app, texts[1:])
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / (len(texts) - 1)


def read_share(folder: str, share: float, *, at_random: bool) -> float:
    """The share of the checks of a working set that read the store, once each of its tokens was used."""
    store, app = served(folder, 2, "opaque")
    texts = issued(app, int(share * SIZE))
    check(app, texts)
    store.reads, checks = 0, 5 * len(texts)
    check(app, random.choices(texts, k=checks) if at_random else chain.from_iterable(repeat(texts, 5)))
    return store.reads / checks


def rows(folder: str) -> Iterator[Row | str]:
    yield SQLITE
    for name in FORMATS:
        for scopes in SCOPES:
            size = bytes_a_token(folder, scopes, name)
            what = f"a cached token, {name}, of a client with {scopes} scopes and two attributes"
            yield Row(what, f"{size:.0f} bytes", f"≤ {MOST_BYTES} bytes", size <= MOST_BYTES)
    for share in SHARES:
        shares = [read_share(folder, share, at_random=at_random) for at_random in (False, True)]
        measured = " / ".join(f"{100 * each:.1f}" for each in shares) + " %"
        what = (
            f"of {int(share * SIZE):,} tokens in turns / at random are read from the store, with `cache_size` {SIZE:,}"
        )
        yield Row(what, measured, *(("0 %", not any(shares)) if share <= 1 else ()))


def main() -> int:
    options_of(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return printed("what", "measured", rows(folder))


if __name__ == "__main__":
    sys.exit(main())
