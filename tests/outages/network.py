"""A network between a worker and its engine, which can be slow, or lose all that goes through it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread


class Network:
    """Hands on what comes in at ``port``.

    :param engine: the engine's own port.
    """

    def __init__(self, engine: int) -> None:
        self._engine = engine
        self._delay = 0.0
        self._quick = Event()
        self._callers: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Each answer comes so much later, however short it is. What is under way at the end comes then."""
        self._delay, self._quick = seconds, Event()
        try:
            yield
        finally:
            self._delay = 0.0
            self._quick.set()

    def cut(self) -> None:
        """End all connections. New ones can be made."""
        while self._callers:
            with suppress(OSError):
                self._callers.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        with suppress(OSError):  # the end
            while True:
                caller, _ = self._listener.accept()
                self._callers.append(caller)
                Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        with caller, suppress(OSError), socket.create_connection(("127.0.0.1", self._engine)) as engine:
            answering = Thread(target=self._answer, args=(engine, caller), daemon=True)
            answering.start()
            _forward(caller, engine)
            answering.join()

    def _answer(self, engine: socket.socket, caller: socket.socket) -> None:
        _forward(engine, caller, lambda: self._quick.wait(self._delay))


def _forward(source: socket.socket, target: socket.socket, before: Callable[[], object] = lambda: None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            before()
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
