"""Workers that are killed or paused under load."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hosting import Server
from load import cached_everywhere, check_killed_workers, using, wait_until
from operating import Operator
from wire import bearer, issue, revoke, wire

pytestmark = pytest.mark.slow

PREFORKING = ["gunicorn", "gunicorn-preload", "uwsgi"]


@contextmanager
def paused(processes: set[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("name", PREFORKING)
def test_service_goes_on_when_workers_are_killed(start: Callable[..., Server], name: str) -> None:
    check_killed_workers(start(name), 0)


@pytest.mark.parametrize("name", PREFORKING)
@pytest.mark.parametrize("turn", range(3))
def test_paused_worker_refuses_what_ended_meanwhile(start: Callable[..., Server], name: str, turn: int) -> None:
    server = start(name)
    token = issue(server)
    with using(server, token) as load:
        awake = cached_everywhere(server, load)
        victim = {awake.pop()}
        with paused(victim):
            assert revoke(server, token).status == 200
            ended = time.monotonic()
            wait_until(lambda: load.processes(401, ended) >= awake)
        wait_until(lambda: load.processes(401, ended) >= victim)
    assert load.statuses(ended) == {401}


def test_request_that_waited_in_every_paused_worker_is_refused(start: Callable[..., Server]) -> None:
    server = start("gunicorn")
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
    with ExitStack() as stack, Operator(server.store_url) as operator:
        connections = [stack.enter_context(wire(server)) for _ in workers]
        for connection in connections:
            connection.send(b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n")
        wait_until(lambda: not server.is_ready(timeout=0.3))  # each worker holds one of them
        with paused(workers):
            operator("revoke-all", "alpha")
            for connection in connections:
                connection.send(f"Authorization: {bearer(token)['Authorization']}\r\n\r\n".encode())
        answers = [connection.answer() for connection in connections]
    assert {answer.process: answer.status for answer in answers if answer} == dict.fromkeys(workers, 401)
