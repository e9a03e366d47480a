"""Threads that send requests as long as a test wants them to, and a record of every answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

from hosting import Server
from operating import Operator
from wire import GRANT, Answer, ask, basic, bearer, issue, revoke

PATIENCE_SECONDS = 20.0
THREADS = 4


@dataclass(frozen=True)
class Record:
    """One request: when it was begun and answered, and how. ``status`` 0 is a connection that broke."""

    begun: float
    ended: float
    status: int
    process: int
    token: str = ""


@dataclass
class Load:
    """What was answered so far."""

    records: list[Record] = field(default_factory=list)

    def since(self, moment: float) -> list[Record]:
        """Requests that were begun after ``moment``."""
        return [record for record in self.records if record.begun > moment]

    def processes(self, status: int, since: float = 0.0) -> set[int]:
        """The workers that answered ``status``."""
        return {record.process for record in self.since(since) if record.status == status}

    def statuses(self, since: float = 0.0) -> set[int]:
        return {record.status for record in self.since(since)}


def wait_until(reached: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not come to it in time"
        time.sleep(0.005)


@contextmanager
def requests(send: Callable[[], Answer], threads: int) -> Iterator[Load]:
    """Send one request after the other in each of ``threads``, until the block is left."""
    load, over = Load(), threading.Event()

    def run() -> None:
        while not over.is_set():
            begun = time.monotonic()
            try:
                answer = send()
            except (OSError, HTTPException):
                load.records.append(Record(begun, time.monotonic(), 0, 0))
                continue
            token = answer.json.get("access_token", "") if answer.status == 200 else ""
            load.records.append(Record(begun, time.monotonic(), answer.status, answer.process, token))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield load
    finally:
        over.set()
        for worker in workers:
            worker.join()


@contextmanager
def using(server: Server, token: str, threads: int = THREADS) -> Iterator[Load]:
    """Use a token on the protected path, over a new connection each time, so that every worker gets its share."""
    with requests(lambda: ask(server, "GET", "/whoami", bearer(token)), threads) as load:
        yield load


@contextmanager
def issuing(server: Server, client_id: str, secret: str | None = None, threads: int = 1) -> Iterator[Load]:
    """Ask for tokens."""
    with requests(lambda: ask(server, "POST", "/oauth/token", basic(client_id, secret), GRANT), threads) as load:
        yield load


def cached_everywhere(server: Server, load: Load) -> set[int]:
    """Wait until every worker accepted the token twice, the second time out of its cache."""

    def reached() -> bool:
        accepted = [record.process for record in load.records if record.status == 200]
        return len({process for process in accepted if accepted.count(process) > 1}) >= server.kind.processes

    wait_until(reached)
    return load.processes(200)


def kill_and_wait_for_another(server: Server, load: Load, victim: int) -> None:
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(load.processes(200, killed) - {victim}) >= server.kind.processes)


def check_ended_within(server: Server, event: str, bound: float) -> None:
    """End the tokens of a new client, and see that every worker refuses them from then on (R-01).

    :param event: ``revoke`` at the endpoint, or what an operator does in another process.
    :param bound: seconds after the event from which each request is judged.
    """
    with Operator(server.store_url) as operator:
        operator("add", f"client-{event}", secret := "Vb3nM6kT9wX2cR5yJ8sD")
        token = issue(server, f"client-{event}", secret)
        server.confidential.add(secret)
        with using(server, token) as load:
            workers = cached_everywhere(server, load)
            if event == "revoke":
                assert revoke(server, token, f"client-{event}", secret).status == 200
            else:
                operator(*([event] if event == "retire" else [event, f"client-{event}"]))
            late = time.monotonic() + bound
            wait_until(lambda: load.processes(401, late) >= workers and len(load.since(late)) > 10 * len(workers))

    assert load.statuses(late) == {401}
    assert load.statuses() == {200, 401}


def check_killed_workers(server: Server, bound: float) -> None:
    """Kill every worker in turn under load: the others answer, and a revocation holds ``bound`` seconds later."""
    token = issue(server)
    with using(server, token) as load, issuing(server, "beta", threads=2) as issues:
        for victim in cached_everywhere(server, load):
            kill_and_wait_for_another(server, load, victim)
        revoke(server, token)
        late = time.monotonic() + bound
        wait_until(lambda: len(load.processes(401, late)) >= server.kind.processes)
    # A connection may break while its worker is killed; nothing else goes wrong.
    assert load.statuses() <= {200, 401, 0} and issues.statuses() <= {200, 0}
    assert load.statuses(late) == {401}
