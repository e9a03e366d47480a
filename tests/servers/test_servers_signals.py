"""Servers of greenlets end when they are told to, whatever the middleware has started in them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hosting import Server
from links import family
from wire import FORM, basic, bearer, issue, wire

from helpers.engines import Postgres, Redis

pytestmark = pytest.mark.slow

ENGINES = {"postgresql": Postgres, "redis": Redis}
AT_ONCE_SECONDS = 5  # an idle worker takes half a second; one that gets no signals is killed after thirty


def raw(method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
    fields = {"Host": "localhost", "Content-Type": FORM, "Content-Length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", body]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("kind", ENGINES)
def test_a_server_whose_first_requests_came_at_once_ends_when_it_is_told_to(
    start: Callable[..., Server], kind: str
) -> None:
    with ENGINES[kind]() as engine, ExitStack() as stack:
        token = issue(start("wsgiref", store=engine.url))
        server = start("gunicorn-gevent", store=engine.url)
        server.confidential.add(token)
        (worker,) = family(server.process.pid) - {server.process.pid}
        connections = [stack.enter_context(wire(server)) for _ in range(8)]
        os.kill(worker, signal.SIGSTOP)
        for first, second in zip(connections[::2], connections[1::2], strict=True):
            first.send(raw("POST", "/oauth/token", basic(), "grant_type=client_credentials"))
            second.send(raw("GET", "/whoami", bearer(token)))
        os.kill(worker, signal.SIGCONT)
        answers = [connection.answer() for connection in connections]
        server.process.terminate()

        assert server.process.wait(AT_ONCE_SECONDS) == 0
        assert [answer.status for answer in answers if answer] == [200] * 8
