"""Workers that issue, check and revoke while a primary is lost, and what became of each request."""

from __future__ import annotations

import random
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import NamedTuple

from processes import Process, Processes

WORKER = """
    from urllib.parse import urlencode
    from webob import Request
    from oauth_mw import OAuthMiddleware

    def echo(environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]

    url, lag, timeout, credentials = sys.argv[1], *sys.stdin.readline().split()
    app = OAuthMiddleware(echo, store=url, revocation_lag_seconds=float(lag), store_timeout_seconds=float(timeout))

    def do(verb, token=""):
        if verb == "check":
            return Request.blank("/", headers={"Authorization": "Bearer " + token}).get_response(app)
        request = Request.blank("/oauth/token" if verb == "issue" else "/oauth/revoke")
        request.method, request.content_type = "POST", "application/x-www-form-urlencoded"
        request.headers["Authorization"] = "Basic " + credentials
        form = {"grant_type": "client_credentials"} if verb == "issue" else {"token": token}
        request.body = urlencode(form).encode()
        return request.get_response(app)

    for line in sys.stdin:
        answer = do(*line.split())
        issued = answer.json.get("access_token", "") if "issue" in line and answer.status_int == 200 else ""
        print(answer.status_int, answer.headers.get("Retry-After", "-"), issued, flush=True)
"""
LAG = 0.3


class Done(NamedTuple):
    """One request: what it was for, and when it began and ended."""

    what: str
    status: int
    retry: bool
    began: float
    ended: float


class Crowd:
    """What all workers together know of their tokens; each is driven by a thread of its own."""

    def __init__(self, workers: list[Process]) -> None:
        self.workers = workers
        self.done: list[Done] = []
        self.issued: dict[str, float] = {}
        self.revoked: dict[str, float] = {}
        self.unsure: set[str] = set()  # a revocation was tried, acknowledged or not
        self.stale: list[str] = []  # accepted although its revocation was acknowledged
        self.refused: list[str] = []  # refused although nobody has tried to revoke it
        self._lock = Lock()
        self._stop = Event()
        self._locks = {worker.pid: Lock() for worker in workers}

    def ask(self, worker: Process, verb: str, token: str = "", what: str = "") -> tuple[int, str]:
        """The status, and the token that was issued. ``what`` is the verb, if nothing else is said."""
        with self._locks[worker.pid]:
            began = time.monotonic()
            status, retry, *issued = worker.answers(f"{verb} {token}".strip()).split()
        self.done.append(Done(what or verb, int(status), retry != "-", began, time.monotonic()))
        return int(status), issued[0] if issued else ""

    def issue(self, worker: Process) -> None:
        _, token = self.ask(worker, "issue")
        if token:
            self.issued[token] = time.monotonic()

    def check(self, worker: Process) -> None:
        token = _one_of(self._live())
        if token and self.ask(worker, "check", token)[0] == 401 and token not in self.unsure:
            self.refused.append(token)

    def check_revoked(self, worker: Process) -> None:
        old = time.monotonic() - LAG
        token = _one_of([each for each in list(self.revoked) if self.revoked[each] < old])
        if token and self.ask(worker, "check", token, "check a revoked one")[0] == 200:
            self.stale.append(token)

    def revoke(self, worker: Process) -> None:
        with self._lock:
            token = _one_of(self._live())
            self.unsure.update([token] if token else [])
        if token and self.ask(worker, "revoke", token)[0] == 200:
            self.revoked[token] = time.monotonic()

    def _live(self) -> list[str]:
        return [each for each in list(self.issued) if each not in self.unsure and each not in self.refused]

    def statuses(self, what: str, start: float, end: float) -> set[int]:
        """Those of the requests that lay between these times wholly."""
        return {
            each.status for each in list(self.done) if each.what == what and start <= each.began <= each.ended <= end
        }

    def last(self, what: str, count: int = 9) -> list[int]:
        return [each.status for each in list(self.done) if each.what == what][-count:]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Meanwhile each worker does one thing after the other."""
        acts = [self.issue, self.check, self.check_revoked, self.revoke]
        threads = [Thread(target=self._work, args=(worker, acts)) for worker in self.workers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self, worker: Process, acts: list[Callable[[Process], None]]) -> None:
        while not self._stop.is_set():
            random.choice(acts)(worker)
            time.sleep(0.002)


def _one_of(tokens: list[str]) -> str:
    return random.choice(tokens) if tokens else ""


@contextmanager
def crowd(url: str, count: int, timeout: float, authorization: str) -> Iterator[Crowd]:
    """So many workers on one store, which a client asks with this header."""
    with Processes(url) as start:
        workers = [start(textwrap.dedent(WORKER)) for _ in range(count)]
        for worker in workers:
            worker.hears(f"{LAG} {timeout} {authorization.removeprefix('Basic ')}")
        found = Crowd(workers)
        for worker in workers:
            found.issue(worker)
        found.done.clear()  # they have started now
        yield found
