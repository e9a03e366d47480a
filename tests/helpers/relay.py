"""A relay between a client and a server: it records requests, changes or delays replies, and cuts connections."""

from __future__ import annotations

import re
import socket
import ssl
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
        with suppress(OSError):  # closed
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
    """Forwards in both directions.

    :param server: the server's own port; it may be changed.
    :param answered: changes what the server sends.
    :param tls: has callers speak TLS, and the server not.
    """

    def __init__(
        self, server: int, answered: Callable[[bytes], bytes] = _as_it_is, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self._tls = tls
        self.server = server
        self.url = ""
        self._answered = answered
        self._delay, self._quick = 0.0, Event()
        self.asked: list[bytes] = []  # what clients sent, in the pieces in which it arrived
        self._callers: list[socket.socket] = []

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Delay each reply by ``seconds``, whatever its size. Those that wait at the end are sent then."""
        self._delay, self._quick = seconds, Event()
        try:
            yield
        finally:
            self._delay = 0.0
            self._quick.set()

    def _connect(self, caller: socket.socket) -> None:
        address = ("127.0.0.1", self.server)
        with caller, suppress(OSError), socket.create_connection(address) as server, self._end(caller) as end:
            self._callers.append(end)
            answering = Thread(target=_forward, args=(server, end, self._answer), daemon=True)
            answering.start()
            _forward(end, server, self._heard)
            answering.join()

    def _end(self, caller: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(caller, server_side=True) if self._tls else caller

    def _heard(self, data: bytes) -> bytes:
        self.asked.append(data)
        return data

    def _answer(self, data: bytes) -> bytes:
        self._quick.wait(self._delay)
        return self._answered(data)

    def cut(self) -> None:
        """Cut all connections. New ones can be opened."""
        callers, self._callers = self._callers, []
        for each in callers:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

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
