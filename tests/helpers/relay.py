"""What stands between a client and its server: it hears what is asked, changes answers or delays them, and cuts."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self


def _as_it_is(data: bytes) -> bytes:
    return data


class Listener:
    """A server of the tests' own at ``port``, with a thread for each caller; a context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def _connect(self, caller: socket.socket) -> None:
        raise NotImplementedError

    def _serve(self) -> None:
        with suppress(OSError):  # the end
            while True:
                caller, _ = self._listener.accept()
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._connect, args=(caller,), daemon=True).start()

    def __enter__(self) -> Self:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Relay(Listener):
    """Hands on what comes in.

    :param server: the server's own port; it may be changed.
    :param answered: what becomes of what the server has said.
    """

    def __init__(self, server: int, answered: Callable[[bytes], bytes] = _as_it_is) -> None:
        super().__init__()
        self.server = server
        self.url = ""
        self._answered = answered
        self._delay, self._quick = 0.0, Event()
        self.asked: list[bytes] = []  # what clients have said, in the pieces in which it came
        self._callers: list[socket.socket] = []

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Each answer comes so much later, however short it is. What is under way at the end comes then."""
        self._delay, self._quick = seconds, Event()
        try:
            yield
        finally:
            self._delay = 0.0
            self._quick.set()

    def _connect(self, caller: socket.socket) -> None:
        self._callers.append(caller)
        with caller, suppress(OSError), socket.create_connection(("127.0.0.1", self.server)) as server:
            answering = Thread(target=_forward, args=(server, caller, self._answer), daemon=True)
            answering.start()
            _forward(caller, server, self._heard)
            answering.join()

    def _heard(self, data: bytes) -> bytes:
        self.asked.append(data)
        return data

    def _answer(self, data: bytes) -> bytes:
        self._quick.wait(self._delay)
        return self._answered(data)

    def cut(self) -> None:
        """End all connections. New ones can be made."""
        while self._callers:
            with suppress(OSError):
                self._callers.pop().shutdown(socket.SHUT_RDWR)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        self.cut()


def _forward(source: socket.socket, target: socket.socket, passed: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(passed(data))
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed(url: str, answered: Callable[[bytes], bytes] = _as_it_is) -> Iterator[Relay]:
    """A relay before the server of a store URL, with a ``url`` of its own."""
    place = re.search(r"127\.0\.0\.1:(\d+)", url)
    assert place
    with Relay(int(place[1]), answered) as relay:
        relay.url = url.replace(place[0], f"127.0.0.1:{relay.port}")
        yield relay
