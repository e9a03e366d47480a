"""A server that speaks Redis's protocol and answers with whatever a test says, also with what no Redis would."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from types import TracebackType
from typing import Any, BinaryIO

from redis import Connection
from redis.exceptions import NoScriptError, RedisError, ResponseError

Answer = Callable[[list[bytes]], Any]


class Raw(bytes):
    """Bytes that are sent as they are."""


class Liar:
    """A context manager.

    :param answer: gives the reply to a command: bytes, a number, ``None``, a list of these, an error, or :class:`Raw`.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def _serve(self) -> None:
        with suppress(OSError):  # the end
            while True:
                caller, _ = self._listener.accept()
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._talk, args=(caller,), daemon=True).start()

    def _talk(self, caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as file, suppress(OSError, ValueError, RedisError):
            while command := _command(file):
                caller.sendall(encoded(self.answer(command)))

    def __enter__(self) -> Liar:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Through:
    """The answers of a real server, by its port; those that a test changes are no longer its own."""

    def __init__(self, port: int) -> None:
        self._connection = Connection(port=port, protocol=2)
        self._lock = Lock()

    def __call__(self, command: list[bytes]) -> Any:
        with self._lock:
            self._connection.send_command(*command)
            try:
                return self._connection.read_response()
            except ResponseError as error:
                # redis-py cuts off what a client must know it by.
                return (
                    ResponseError("NOSCRIPT x") if isinstance(error, NoScriptError) else ResponseError(f"ERR {error}")
                )

    def close(self) -> None:
        self._connection.disconnect()


def _command(file: BinaryIO) -> list[bytes]:
    head = file.readline()
    words = []
    for _ in range(int(head[1:]) if head else 0):
        size = int(file.readline()[1:])
        words.append(file.read(size + 2)[:-2])
    return words


def encoded(reply: Any) -> bytes:
    """A reply in RESP2."""
    if isinstance(reply, Raw):
        return reply
    if isinstance(reply, Exception):
        return b"-%s\r\n" % str(reply).encode()
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%s\r\n" % (len(reply), reply)
    return b"*%d\r\n%s" % (len(reply), b"".join(map(encoded, reply)))
