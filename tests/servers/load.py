"""Threads that send requests as long as a test wants them to, and a record of every answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count

from hosting import Server
from wire import GRANT, Answer, ask, basic, bearer, issue, revoke

from helpers.changes import remove_key
from helpers.engines_base import wait_until
from oauth_mw import admin, open_store
from oauth_mw.protocols import Store

THREADS = 4
LIVES = 96


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

    wait_until(reached, "every worker")
    return load.processes(200)


def kill_and_wait_for_another(server: Server, load: Load, victim: int) -> None:
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(load.processes(200, killed) - {victim}) >= server.kind.processes, "another worker")


def remove_keys(store: Store, client_id: str) -> None:
    for record in store.read_keys().keys:
        remove_key(store, record.kid)


# What an operator does, in another process than the server's.
ENDS: dict[str, Callable[[Store, str], object]] = {
    "revoke-all": admin.revoke_all_tokens,
    "disable": admin.disable_client,
    "delete": admin.delete_client,
    "retire": remove_keys,
}
_numbers = count()


def new_client(server: Server, **fields: object) -> tuple[str, str]:
    """A client that a test may end; its id and secret."""
    with closing(open_store(server.store_url)) as store:
        client, secret = admin.add_client(store, "new", scope="read", client_id=f"client-{next(_numbers)}", **fields)
    server.confidential.add(secret)
    return client.client_id, secret


def check_ended_within(
    server: Server, event: str | Callable[[str, str], object], bound: float, **fields: object
) -> None:
    """End the tokens of a new client, and see that every worker refuses them from then on (R-01).

    :param event: ``revoke`` at the endpoint, a name in :data:`ENDS`, or what is done to the client's id and token.
    :param bound: seconds after the event from which each request is judged.
    :param fields: of the client.
    """
    client_id, secret = new_client(server, **fields)
    token = issue(server, client_id, secret)
    with using(server, token) as load, issuing(server, "beta") as issues:
        workers = cached_everywhere(server, load)
        if callable(event):
            event(client_id, token)
        elif event == "revoke":
            assert revoke(server, token, client_id, secret).status == 200
        else:
            with closing(open_store(server.store_url)) as store:
                ENDS[event](store, client_id)
        late = time.monotonic() + bound
        wait_until(
            lambda: load.processes(401, late) >= workers and len(load.since(late)) > 20 * len(workers), "refusals"
        )
    assert load.statuses(late) == {401}
    assert load.statuses() == {200, 401} and issues.statuses() == {200}


def check_killed_workers(server: Server, bound: float) -> None:
    """Kill every worker in turn under load: the others answer, and a revocation holds ``bound`` seconds later."""
    token = issue(server)
    with using(server, token) as load, issuing(server, "beta", threads=2) as issues:
        for victim in cached_everywhere(server, load):
            kill_and_wait_for_another(server, load, victim)
        revoke(server, token)
        late = time.monotonic() + bound
        wait_until(lambda: len(load.processes(401, late)) >= server.kind.processes, "refusals")
    # A connection may break while its worker is killed; nothing else goes wrong.
    assert load.statuses() <= {200, 401, 0} and issues.statuses() <= {200, 0}
    assert load.statuses(late) == {401}


def check_parallel_lives(server: Server, threads: Executor, lag: float) -> None:
    """Issue, use and revoke many tokens at once: none is lost or given twice, and no identity is mixed up.

    :param lag: seconds after which a revocation is seen.
    """
    clients = [("alpha", "beta")[number % 2] for number in range(LIVES)]
    is_revoked = [number % 3 == 0 for number in range(LIVES)]

    def live(client_id: str, ends: bool) -> tuple[str, set[str | None]]:
        token = issue(server, client_id)
        accepted = {ask(server, "GET", "/whoami", bearer(token)).json.get("client_id") for _ in range(3)}
        assert not ends or revoke(server, token, client_id).status == 200
        return token, accepted

    with closing(open_store(server.store_url)) as store:
        before = store.count_tokens()
        tokens, accepted = zip(*threads.map(live, clients, is_revoked), strict=True)
        issued = store.count_tokens() - before
    time.sleep(lag)
    answers = threads.map(lambda token: ask(server, "GET", "/whoami", bearer(token)), tokens)

    assert [answer.status for answer in answers] == [401 if ends else 200 for ends in is_revoked]
    assert list(accepted) == [{client_id} for client_id in clients]
    assert len(set(tokens)) == issued == LIVES
