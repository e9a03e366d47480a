"""Run as a script: worker processes that use tokens as fast as they can, and remember when each request began."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from multiprocessing.connection import Client, Connection
from typing import Any, NamedTuple
from urllib.parse import urlencode

from helpers.support import basic, bearer, echo
from oauth_mw import OAuthMiddleware, open_store
from oauth_mw.tokens.cache import TokenCache

THREADS = 2
PAUSE_SECONDS = 0.0003


class Use(NamedTuple):
    """What became of the requests with one token, by the time at which each began.

    ``asked`` are those that looked at the log, or waited for another thread's look, and those that were accepted though
    they were no hit in the cache. Whoever finds a look due may have any token: the next one might as well be accepted.
    """

    accepted: list[float]
    refused: list[float]
    unavailable: list[float]
    asked: list[float]


# By thread: how often the cache missed, and how often a poll of the log was due.
misses: Counter[int] = Counter()
dues: Counter[int] = Counter()


def count_calls(name: str, counter: Counter[int]) -> None:
    """Count by thread the calls of a method of the cache."""
    method = getattr(TokenCache, name)

    def counted(*arguments: Any) -> Any:
        counter[threading.get_ident()] += 1
        return method(*arguments)

    setattr(TokenCache, name, counted)


class Worker:
    """The middleware over a store of its own, and threads that use ``tokens``."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._app = OAuthMiddleware(echo, store=open_store(url), **options)
        self.uses: dict[str, Use] = {}

    def start(self) -> None:
        for _ in range(THREADS):
            threading.Thread(target=self._hammer, daemon=True).start()

    def call(self, path: str, headers: dict[str, str], **form: str) -> tuple[int, bytes]:
        body = urlencode(form).encode()
        environ = {
            "REQUEST_METHOD": "POST" if form else "GET",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_AUTHORIZATION": headers["Authorization"],
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        statuses: list[str] = []
        answer: Iterable[bytes] = self._app(environ, lambda status, headers: statuses.append(status))
        return int(statuses[0][:3]), b"".join(answer)

    def issue(self, client_id: str, secret: str, number: int) -> list[str]:
        form = {"grant_type": "client_credentials"}
        answers = [self.call("/oauth/token", basic(client_id, secret), **form) for _ in range(number)]
        return [json.loads(body)["access_token"] for _, body in answers]

    def revoke(self, client_id: str, secret: str, token: str) -> tuple[int, float]:
        """The status, and when it was there."""
        status, _ = self.call("/oauth/revoke", basic(client_id, secret), token=token)
        return status, time.monotonic()

    def use(self, tokens: list[str]) -> None:
        self.uses = {token: Use([], [], [], []) for token in tokens}

    def report(self) -> dict[str, tuple[list[float], ...]]:
        return {token: tuple(use) for token, use in self.uses.items()}

    def counts(self) -> dict[str, tuple[int, int]]:
        """How many requests were accepted and refused so far."""
        return {token: (len(use.accepted), len(use.refused)) for token, use in self.uses.items()}

    def fork(self, address: str) -> int:
        """A child that goes on with what this process knows and remembers, and with a conversation of its own."""
        child = os.fork()
        if not child:
            serve(self, address)
        return child

    def _hammer(self) -> None:
        while True:
            for token, use in self.uses.items():
                self._use(token, use)
            time.sleep(PAUSE_SECONDS)

    def _use(self, token: str, use: Use) -> None:
        thread = threading.get_ident()
        missed, due, begun = misses[thread], dues[thread], time.monotonic()
        status, _ = self.call("/", bearer(token))
        {200: use.accepted, 401: use.refused, 503: use.unavailable}[status].append(begun)
        if dues[thread] != due or (status == 200 and misses[thread] != missed):
            use.asked.append(begun)


def serve(worker: Worker, address: str) -> None:
    """Do what is said at the other end until it is closed."""
    signal.alarm(60)
    worker.start()
    with Client(address) as said:
        assert isinstance(said, Connection)
        said.send(os.getpid())
        try:
            while True:
                verb, *arguments = said.recv()
                said.send(getattr(worker, verb)(*arguments))
        except (EOFError, ConnectionError):
            os._exit(0)


def commit_slowly() -> None:
    """Whoever has a position in the log takes some time, each another, to commit."""
    import random

    from oauth_mw.stores.sql.postgresql import engine

    commit = engine._commit

    def slow(driver: Any) -> None:
        time.sleep(random.random() / 20)
        commit(driver)

    engine._commit = slow


if __name__ == "__main__":
    address, url, options, workers, slow_commits = sys.argv[1:]
    open_store(url).close()  # so that what it imports is imported once
    count_calls("find", misses)
    count_calls("_poll_within_grace", dues)
    if slow_commits:
        commit_slowly()
    for _ in range(int(workers)):
        if not os.fork():
            serve(Worker(url, json.loads(options)), address)
