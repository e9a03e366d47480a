"""Requests a second behind gunicorn: servers side by side, asked in turns over sockets."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from math import sqrt
from statistics import median
from time import perf_counter

Address = tuple[str, int]

WORKERS = 2
CONNECTIONS = 2  # at a time; more would only queue
REQUESTS = 40  # in one turn
WARM_UP = 1000  # until every worker has started and knows the token


def throughput(database: str, token: str, rounds: int) -> dict[str, list[float]]:
    """Requests a second by round: of the bare app, the same once more, behind the floor, behind the middleware."""
    factories = {
        "bare": "unprotected()",
        "control": "unprotected()",
        "floor": f"behind_floor('{token}')",
        "protected": f"protected('sqlite:///{database}')",
    }
    with ExitStack() as servers:
        addresses = {name: servers.enter_context(_served(factory)) for name, factory in factories.items()}
        found: dict[str, list[float]] = {name: [] for name in addresses}
        for address in addresses.values():
            _requests_a_second(address, token, WARM_UP)
        turns = list(addresses.items())
        for _ in range(rounds):
            random.shuffle(turns)
            for name, address in turns:
                found[name].append(_requests_a_second(address, token, REQUESTS))
    return found


@contextmanager
def _served(factory: str) -> Iterator[Address]:
    """A gunicorn with sync workers; they close every connection, as there is no keep-alive with them."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    command = [sys.executable, "-m", "gunicorn", f"served:{factory}", "--workers", str(WORKERS)]
    command += ["--bind", f"fd://{listening.fileno()}", "--log-level", "warning"]
    folder = os.path.dirname(os.path.abspath(__file__))
    server = subprocess.Popen(command, cwd=folder, pass_fds=[listening.fileno()])
    try:
        yield listening.getsockname()
    finally:
        server.terminate()
        server.wait(30)
        listening.close()


def _requests_a_second(address: Address, token: str, count: int) -> float:
    head = f"GET /reports/2024?page=2 HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer {token}\r\n"
    head += "User-Agent: benchmark\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"

    def ask(how_many: int) -> None:
        for _ in range(how_many):
            _ask(address, head.encode())

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        started = perf_counter()
        list(pool.map(ask, [count // CONNECTIONS] * CONNECTIONS))
        return count / (perf_counter() - started)


def _ask(address: Address, request: bytes) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"gunicorn answered {answer[:100]!r}")


def compared(found: dict[str, list[float]], name: str) -> tuple[float, float, float]:
    """The median of the rounds' ratios to the bare app, and between what it lies with 95 % of certainty."""
    ratios = sorted(mine / bare for mine, bare in zip(found[name], found["bare"], strict=True))
    # Ranks around the middle, by the binomial distribution.
    middle, reach = len(ratios) // 2, round(sqrt(len(ratios)))
    return median(ratios), ratios[max(middle - reach, 0)], ratios[min(middle + reach, len(ratios) - 1)]
