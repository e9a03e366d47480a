"""A script: worker processes that use tokens as fast as they can, and record when each request began."""

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
from dataclasses import replace
from multiprocessing.connection import Client, Connection
from typing import Any, NamedTuple
from urllib.parse import urlencode

from helpers.support import CC, TESTER, basic, bearer, echo
from oauth_mw import OAuthMiddleware, StoreUnavailable, open_store
from oauth_mw.tokens.cache import TokenCache

THREADS = 2
PAUSE_SECONDS = 0.0003


class Use(NamedTuple):
    """What became of the requests with one token, by the time at which each began.

    ``asked`` has those that polled the log, or waited for the poll of another thread, and those that were accepted
    without a hit in the cache. A poll is due whatever the token is, so ``asked`` does not depend on the answer.
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
        self._store = open_store(url, timeout=options.get("store_timeout_seconds", 5.0))
        self._app = OAuthMiddleware(echo, store=self._store, **options)
        self.uses: dict[str, Use] = {}

    def start(self) -> None:
        for _ in range(THREADS):
            threading.Thread(target=self._hammer, daemon=True).start()

    def call(self, path: str, headers: dict[str, str], **form: str) -> tuple[int, str, bytes]:
        """The status, the value of Retry-After, and the body."""
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
        started: list[Any] = []
        answer: Iterable[bytes] = self._app(environ, lambda *given: started.extend(given))
        return int(started[0][:3]), dict(started[1]).get("Retry-After", ""), b"".join(answer)

    def do(self, verb: str, token: str) -> tuple[int, str, str]:
        """Do one thing for the client ``tester``; the status, the value of Retry-After, and a token that was issued."""
        if verb == "change":
            return self._change()
        if verb == "issue":
            status, retry, body = self.call("/oauth/token", TESTER, **CC)
            return status, retry, json.loads(body).get("access_token", "")
        check = verb == "check"
        status, retry, _ = self.call("/", bearer(token)) if check else self.call("/oauth/revoke", TESTER, token=token)
        return status, retry, ""

    def _change(self) -> tuple[int, str, str]:
        try:
            done = self._store.update_client("tester", lambda client: replace(client, name=str(os.getpid())))
        except StoreUnavailable as error:
            return 503, dict(error.headers()).get("Retry-After", ""), ""
        return 200 if done else 404, "", ""

    def issue(self, client_id: str, secret: str, number: int) -> list[str]:
        answers = [self.call("/oauth/token", basic(client_id, secret), **CC) for _ in range(number)]
        return [json.loads(body)["access_token"] for *_, body in answers]

    def revoke(self, client_id: str, secret: str, token: str) -> tuple[int, float]:
        """The status, and the time of the answer."""
        status, *_ = self.call("/oauth/revoke", basic(client_id, secret), token=token)
        return status, time.monotonic()

    def use(self, tokens: list[str]) -> None:
        self.uses = {token: Use([], [], [], []) for token in tokens}
        self.start()

    def report(self) -> dict[str, tuple[list[float], ...]]:
        return {token: tuple(use) for token, use in self.uses.items()}

    def counts(self) -> dict[str, tuple[int, int]]:
        """How many requests were accepted and refused so far."""
        return {token: (len(use.accepted), len(use.refused)) for token, use in self.uses.items()}

    def fork(self, address: str) -> int:
        """Fork a child with the cache and the records of this process, and a connection of its own."""
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
        status, *_ = self.call("/", bearer(token))
        {200: use.accepted, 401: use.refused, 503: use.unavailable}[status].append(begun)
        if dues[thread] != due or (status == 200 and misses[thread] != missed):
            use.asked.append(begun)


def serve(worker: Worker, address: str) -> None:
    """Run the calls that arrive from ``address`` until the connection is closed."""
    if worker.uses:
        worker.start()
    with Client(address) as said:
        assert isinstance(said, Connection)
        said.send(os.getpid())
        try:
            while True:
                signal.alarm(60)  # what hangs ends by itself
                verb, *arguments = said.recv()
                said.send(getattr(worker, verb)(*arguments))
        except (EOFError, ConnectionError):
            os._exit(0)


def commit_slowly() -> None:
    """Delay each commit by a random time, after its position in the log was taken."""
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
