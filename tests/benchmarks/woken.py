"""How soon a process sees what another revoked, and how many statements an idle worker sends.

    python tests/benchmarks/woken.py --store postgresql

One process revokes, another has the token in its cache and checks it over and over. Once followers are woken, once they
only poll. The clock starts when the revocation is acknowledged.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from statistics import quantiles
from typing import Any

from engines import engine_of
from report import Row, options_of, printed

from oauth_mw import admin, open_store
from oauth_mw.errors import TokenRefused
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

LAG = 1.0
ROUNDS = 300
IDLE_SECONDS = 20.0
SETTLED_SECONDS = 2.0


class Checker:
    """The other process."""

    def __init__(self, url: str, woken: bool) -> None:
        command = [sys.executable, __file__, "--check", url, *([] if woken else ["--polls"])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.says()  # it has begun to follow
        time.sleep(SETTLED_SECONDS)

    def says(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def has_new_token(self) -> bytes:
        """The key of a token that it has just issued and accepted."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return bytes.fromhex(self.says())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def check(url: str, woken: bool) -> None:
    """What the other process does: for each line, issue a token, and say when it is not accepted any more."""
    store: Any = open_store(url)
    if not woken:
        store.waiter = lambda: None
    tokens = OpaqueTokens(store, time.time, "")
    times = {"lag": LAG, "grace": 0.0, "timeout": 5.0, "monotonic": time.monotonic}
    cache = TokenCache(tokens.read, store, size=1000, **times)
    cache.refresh()
    print("ready", flush=True)
    for _ in sys.stdin:
        text = tokens.issue(store.find_client("tester"), (), 3600).text
        print(cache.find(text, text).token_id, flush=True)
        with suppress(TokenRefused):
            while cache.find(text, text):
                time.sleep(0.0001)
        print(time.monotonic(), flush=True)


def delays(url: str, woken: bool, rounds: int) -> list[float]:
    """Milliseconds until the other process saw each revocation."""
    found = []
    with closing(open_store(url)) as store, closing(Checker(url, woken)) as checker:
        for _ in range(rounds):
            key = checker.has_new_token()
            time.sleep(random.uniform(0, LAG / 4))
            assert store.revoke_token(key)
            acknowledged = time.monotonic()
            found.append(max(float(checker.says()) - acknowledged, 0) * 1000)
    return found


def idle(engine: Any, url: str, woken: bool) -> float:
    """Transactions a second of a worker that has nothing to do."""
    with closing(Checker(url, woken)):
        before = engine.transactions()
        time.sleep(IDLE_SECONDS)
        return (engine.transactions() - before) / IDLE_SECONDS


def rows(store: str, rounds: int) -> Iterator[Row | str]:
    with engine_of(store) as engine, engine.place("woken") as url:
        with closing(open_store(url, create=True)) as opened:
            admin.add_client(opened, "tester", client_id="tester")
        for woken in (True, False):
            yield from rows_of(engine, url, woken, rounds)
        yield engine.version()


def rows_of(engine: Any, url: str, woken: bool, rounds: int) -> Iterator[Row]:
    how = "woken" if woken else "by polls alone"
    times = quantiles(delays(url, woken, rounds if woken else max(rounds // 5, 20)), n=100)
    sent = idle(engine, url, woken)
    for which, budget in ((50, 10.0), (99, 50.0)):
        value = times[which - 1]
        limit = (f"≤ {budget:g} ms", value <= budget) if woken else ("", None)
        yield Row(f"a revocation is seen, {how}, {which}th percentile", f"{value:.1f} ms", *limit)
    yield Row(f"transactions a second of an idle worker, {how}", f"{sent:.2f}")


def main() -> int:
    parser = options_of(__doc__)
    parser.add_argument("--store", default="postgresql", help="the URL of a store, or: postgresql")
    parser.add_argument("--check", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--polls", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.check:
        check(given.check, not given.polls)
        return 0
    measured = f"measured, with revocation_lag_seconds {LAG:g}"
    return printed("what", measured, rows(given.store, ROUNDS // 5 if given.quick else ROUNDS))


if __name__ == "__main__":
    sys.exit(main())
