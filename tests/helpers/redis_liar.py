"""A server that speaks Redis's protocol and sends the replies that a test chooses, even those that no Redis sends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, BinaryIO

from redis import Connection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from helpers.relay import Listener

Answer = Callable[[list[bytes]], Any]


class Raw(bytes):
    """Bytes that are sent as they are."""


class Liar(Listener):
    """
    :param answer: gives the reply to a command: bytes, a number, ``None``, a list of these, an error, or :class:`Raw`.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def _connect(self, caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as file, suppress(OSError, ValueError, RedisError):
            while command := _command(file):
                caller.sendall(encoded(self.answer(command)))


class Through:
    """Forwards commands to a real server, by its port, and returns its replies."""

    def __init__(self, port: int) -> None:
        self._connection = Connection(port=port, protocol=2)
        self._lock = Lock()

    def __call__(self, command: list[bytes]) -> Any:
        with self._lock:
            self._connection.send_command(*command)
            try:
                return self._connection.read_response()
            except ResponseError as error:
                # redis-py has removed the code by which a client recognizes it.
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
