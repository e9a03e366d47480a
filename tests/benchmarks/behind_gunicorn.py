"""Processor time of gunicorn's workers for a request: servers side by side, requested in turns over sockets.

What the client costs does not count, so a slow client does not hide what a fast one would find.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from measure import Times

WORKERS = 2
CONNECTIONS = 2  # at a time; more would only queue
REQUESTS = 100  # in one turn
WARM_UP = 1000  # until every worker has started and cached the token


class Server(NamedTuple):
    address: tuple[str, int]
    pid: int

    def nanoseconds(self) -> int:
        """The processor time of all workers until now. They have one thread each."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(int(Path(f"/proc/{worker}/schedstat").read_text().split()[0]) for worker in workers)


def processor_times(database: str, token: str, rounds: int) -> Times:
    """Nanoseconds a request by round: of the bare app, the same once more, behind the floor, behind the middleware."""
    factories = {
        "bare": "unprotected()",
        "control": "unprotected()",
        "floor": f"behind_floor('{token}')",
        "protected": f"protected('sqlite:///{database}')",
    }
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_served(factory)) for name, factory in factories.items()}
        found: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():
            _ask(server, token, WARM_UP)
        turns = list(servers.items())
        for _ in range(rounds):
            random.shuffle(turns)
            for name, server in turns:
                before = server.nanoseconds()
                _ask(server, token, REQUESTS)
                found[name].append((server.nanoseconds() - before) / REQUESTS)
    return found


@contextmanager
def _served(factory: str) -> Iterator[Server]:
    """A gunicorn with sync workers; they close every connection, as there is no keep-alive with them."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    command = [sys.executable, "-m", "gunicorn", f"served:{factory}", "--workers", str(WORKERS)]
    command += ["--bind", f"fd://{listening.fileno()}", "--log-level", "warning"]
    folder = os.path.dirname(os.path.abspath(__file__))
    process = subprocess.Popen(command, cwd=folder, pass_fds=[listening.fileno()])
    try:
        yield Server(listening.getsockname(), process.pid)
    finally:
        process.terminate()
        process.wait(30)
        listening.close()


def _ask(server: Server, token: str, count: int) -> None:
    head = f"GET /reports/2024?page=2 HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer {token}\r\n"
    head += "User-Agent: benchmark\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"

    def ask(how_many: int) -> None:
        for _ in range(how_many):
            answer = b""
            with socket.create_connection(server.address, timeout=120) as connection:
                connection.sendall(head.encode())
                while piece := connection.recv(65536):
                    answer += piece
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"gunicorn answered {answer[:100]!r}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(ask, [count // CONNECTIONS] * CONNECTIONS))
