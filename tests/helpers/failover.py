"""Workers that issue, check, revoke and change a client while a primary is lost, and the outcome of each request."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Lock, Thread
from typing import NamedTuple

from helpers.engines_base import wait_until
from helpers.revocation_lag import Hand, hired

LAG = 0.3
LAST = 9  # consecutive successes that show that all is well
ASKED = ("issue", "check", "revoke", "change")


class Done(NamedTuple):
    """One request: what it was for, and when it began and ended."""

    what: str
    status: int
    retry: bool
    began: float
    ended: float


class Crowd:
    """Workers, each driven by a thread, and the tokens of all of them."""

    def __init__(self, workers: list[Hand]) -> None:
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

    def ask(self, worker: Hand, verb: str, token: str = "", what: str = "") -> tuple[int, str]:
        """The status, and the token that was issued. By default ``what`` is the verb."""
        with self._locks[worker.pid]:
            began = time.monotonic()
            status, retry, issued = worker("do", verb, token)
        self.done.append(Done(what or verb, status, bool(retry), began, time.monotonic()))
        return status, issued

    def issue(self, worker: Hand) -> None:
        _, token = self.ask(worker, "issue")
        if token:
            self.issued[token] = time.monotonic()

    def check(self, worker: Hand) -> None:
        token = _one_of(self._live())
        if not token:
            self.issue(worker)
        elif self.ask(worker, "check", token)[0] == 401 and token not in self.unsure:
            self.refused.append(token)

    def check_revoked(self, worker: Hand) -> None:
        old = time.monotonic() - LAG
        token = _one_of([each for each in list(self.revoked) if self.revoked[each] < old])
        if token and self.ask(worker, "check", token, "check a revoked one")[0] == 200:
            self.stale.append(token)

    def revoke(self, worker: Hand) -> None:
        with self._lock:
            token = _one_of(self._live())
            self.unsure.update([token] if token else [])
        if not token:
            self.issue(worker)
        elif self.ask(worker, "revoke", token)[0] == 200:
            self.revoked[token] = time.monotonic()

    def change(self, worker: Hand) -> None:
        self.ask(worker, "change")

    def _live(self) -> list[str]:
        return [each for each in list(self.issued) if each not in self.unsure and each not in self.refused]

    def statuses(self, what: str, start: float, end: float) -> set[int]:
        """The statuses of the requests that began and ended between these times."""
        return {
            each.status for each in list(self.done) if each.what == what and start <= each.began <= each.ended <= end
        }

    def seen(self, start: float, end: float) -> list[set[int]]:
        """The statuses of each of ``ASKED``, without 401: other tests check which tokens are refused."""
        return [self.statuses(what, start, end) - {401} for what in ASKED]

    def well(self, *kinds: str, seconds: float) -> float:
        """Wait until requests of these kinds that begin from now on succeed; return the time."""
        since = time.monotonic()

        def is_well(what: str) -> bool:
            last = [each.status for each in list(self.done) if each.what == what and each.began > since][-LAST:]
            return len(last) == LAST and set(last) - {401} == {200}

        wait_until(lambda: all(map(is_well, kinds)), f"{kinds} without an error", seconds)
        return time.monotonic()

    def answered(self, *kinds: str, since: float, seconds: float) -> float:
        """Wait until there are as many answers of each kind as workers; return the time.

        :param since: when the requests that count began, at the earliest.
        """

        def enough(what: str) -> bool:
            done = [each for each in list(self.done) if each.what == what and each.began >= since]
            return sum(each.status != 401 for each in done) >= len(self.workers)

        wait_until(lambda: all(map(enough, kinds)), f"answers to {kinds}", seconds)
        return time.monotonic()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have each worker do one thing after the other meanwhile."""
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

    def _work(self, worker: Hand, acts: list[Callable[[Hand], None]]) -> None:
        # In turn: if some take a whole timeout, few fit into the time of a test, and each kind must occur.
        for act in cycle(acts):
            if self._stop.is_set():
                break
            act(worker)
            time.sleep(0.002)


def _one_of(tokens: list[str]) -> str:
    return random.choice(tokens) if tokens else ""


@contextmanager
def crowd(url: str, timeout: float, form: dict[str, object]) -> Iterator[Crowd]:
    """Workers on a store that has the client ``tester``, with tokens of this form."""
    with hired(url, {"revocation_lag_seconds": LAG, "store_timeout_seconds": timeout, **form}) as team:
        found = Crowd(team.hands)
        for worker in team.hands:
            found.issue(worker)
        found.done.clear()  # they have started now
        yield found
