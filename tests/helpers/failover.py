"""Workers that issue, check, revoke and change a client while a primary is lost, and what became of each request."""

from __future__ import annotations

import json
import random
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Lock, Thread
from typing import NamedTuple

from helpers.engines_base import wait_until
from helpers.processes import Process, Processes

WORKER = """
    import json
    from dataclasses import replace
    from urllib.parse import urlencode
    from webob import Request
    from oauth_mw import OAuthMiddleware, StoreUnavailable

    def echo(environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]

    url, lag, timeout, credentials, form = sys.argv[1], *sys.stdin.readline().split()
    options = {"revocation_lag_seconds": float(lag), "store_timeout_seconds": float(timeout), **json.loads(form)}
    app = OAuthMiddleware(echo, store=url, **options)

    store = open_store(url, timeout=float(timeout))

    def change():
        try:
            done = store.update_client("tester", lambda client: replace(client, name=str(os.getpid())))
            return "200 -" if done else "404 -"
        except StoreUnavailable as error:
            return f"503 {dict(error.headers()).get('Retry-After', '-')}"

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
        signal.alarm(60)  # anew: what hangs ends by itself, and what takes its time on a busy machine does not
        if "change" in line:
            print(change(), flush=True)
            continue
        answer = do(*line.split())
        issued = answer.json.get("access_token", "") if "issue" in line and answer.status_int == 200 else ""
        print(answer.status_int, answer.headers.get("Retry-After", "-"), issued, flush=True)
"""
LAG = 0.3
LAST = 9  # so many in a row that go well show that all is well
ASKED = ("issue", "check", "revoke", "change")


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
        self.refused: list[str] = []  # refused although no revocation was tried
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
        if not token:
            self.issue(worker)
        elif self.ask(worker, "check", token)[0] == 401 and token not in self.unsure:
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
        if not token:
            self.issue(worker)
        elif self.ask(worker, "revoke", token)[0] == 200:
            self.revoked[token] = time.monotonic()

    def change(self, worker: Process) -> None:
        self.ask(worker, "change")

    def _live(self) -> list[str]:
        return [each for each in list(self.issued) if each not in self.unsure and each not in self.refused]

    def statuses(self, what: str, start: float, end: float) -> set[int]:
        """Those of the requests that lay between these times wholly."""
        return {
            each.status for each in list(self.done) if each.what == what and start <= each.began <= each.ended <= end
        }

    def seen(self, start: float, end: float) -> list[set[int]]:
        """Those of each of ``ASKED``; which tokens may be refused is another matter."""
        return [self.statuses(what, start, end) - {401} for what in ASKED]

    def well(self, *kinds: str, seconds: float) -> float:
        """Wait until all requests of these kinds go well, of those that begin from now on; the time when they do."""
        since = time.monotonic()

        def is_well(what: str) -> bool:
            last = [each.status for each in list(self.done) if each.what == what and each.began > since][-LAST:]
            return len(last) == LAST and set(last) - {401} == {200}

        wait_until(lambda: all(map(is_well, kinds)), f"{kinds} without an error", seconds)
        return time.monotonic()

    def answered(self, *kinds: str, since: float, seconds: float) -> float:
        """Wait until each worker, on average, was answered a request of each kind; the time then.

        :param since: those count that begin later.
        """

        def enough(what: str) -> bool:
            done = [each for each in list(self.done) if each.what == what and each.began >= since]
            return sum(each.status != 401 for each in done) >= len(self.workers)

        wait_until(lambda: all(map(enough, kinds)), f"answers to {kinds}", seconds)
        return time.monotonic()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Meanwhile each worker does one thing after the other."""
        acts = [self.issue, self.check, self.check_revoked, self.revoke, self.change]
        threads = [Thread(target=self._work, args=(each, random.sample(acts, len(acts)))) for each in self.workers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self, worker: Process, acts: list[Callable[[Process], None]]) -> None:
        # In turn: where some take a whole timeout, few of them fit into the time of a test, and each must.
        for act in cycle(acts):
            if self._stop.is_set():
                break
            act(worker)
            time.sleep(0.002)


def _one_of(tokens: list[str]) -> str:
    return random.choice(tokens) if tokens else ""


@contextmanager
def crowd(url: str, count: int, timeout: float, authorization: str, form: dict[str, object]) -> Iterator[Crowd]:
    """So many workers on one store, which a client asks with this header for tokens of this form."""
    with Processes(url) as start:
        workers = [start(textwrap.dedent(WORKER)) for _ in range(count)]
        for worker in workers:
            options = json.dumps(form, separators=(",", ":"))
            worker.hears(f"{LAG} {timeout} {authorization.removeprefix('Basic ')} {options}")
        found = Crowd(workers)
        for worker in workers:
            found.issue(worker)
        found.done.clear()  # they have started now
        yield found
