"""How long after a revocation was acknowledged another process accepts the token: ``python revocations.py redis``.

A worker asks for one token all the time, while this process revokes it at once or after a while; that many times.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from engines import engine_of

from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.tokens.opaque import OpaqueTokens, storage_key

HOUR = 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="+", help="a store URL, or the name of an engine that is started for this")
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--lag", type=float, default=1.0, help="revocation_lag_seconds")
    arguments = parser.parse_args()
    for name in arguments.store:
        with engine_of(name) as engine, engine.place("revocations") as url:
            seconds = sorted(measured(url, arguments.times, arguments.lag))
            p50, p99 = (1000 * statistics.quantiles(seconds, n=100)[each] for each in (49, 98))
            print(f"{engine.version()}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {1000 * seconds[-1]:.1f} ms")


def measured(url: str, times: int, lag: float) -> list[float]:
    context = get_context("spawn")
    here, there = context.Pipe()
    with closing(open_store(url, create=True)) as store:
        admin.add_client(store, "tester", client_id="tester")
        worker = context.Process(target=accept, args=(there, url, lag), daemon=True)
        worker.start()
        try:
            return [once(store, here) for _ in range(times)]
        finally:
            worker.kill()


def once(store: Any, worker: Connection) -> float:
    client = store.find_client("tester")
    text, _ = OpaqueTokens(store, time.time, "", "Bearer").issue(client, (), HOUR)
    key = storage_key(text)
    assert key is not None
    worker.send(text)
    assert worker.recv() == "accepted"
    time.sleep(random.random() / 5)
    store.revoke_token(key)
    acknowledged = time.monotonic()
    refused: float = worker.recv()
    return max(refused - acknowledged, 0)


def accept(parent: Connection, url: str, lag: float) -> None:
    """A worker: say when a token is accepted for the first time, and when it is refused."""
    app = OAuthMiddleware(lambda environ, start_response: [], store=url, revocation_lag_seconds=lag)
    statuses: list[str] = []
    while True:
        text, accepted = parent.recv(), False
        while True:
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": f"Bearer {text}"}
            statuses.clear()
            app(environ, lambda status, headers, exc_info=None: statuses.append(status))
            if statuses:
                parent.send(time.monotonic())
                break
            if not accepted:
                accepted = True
                parent.send("accepted")
            time.sleep(0.0002)


if __name__ == "__main__":
    main()
