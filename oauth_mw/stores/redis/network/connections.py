"""Connections to one Redis server: redis-py's own, in its own pool, which makes them anew after a fork.

What redis-py lacks is one limit for all that an operation may wait for: a free connection, the
connect, the handshake and the replies. Here each of these waits until the operation's deadline,
but the look-up of a host's name, which the system alone bounds.
Nothing is sent twice: only redis-py's look whether a pooled connection is still good comes before.
This replaces private names of redis-py: setup.cfg bounds its version, and test_library_privates.py names them.
"""

from __future__ import annotations

import errno
import math
import os
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty
from typing import Any

from redis import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import ChildDeadlockedError, InvalidResponse, NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from ....errors import ConfigError, StoreUnavailable
from ..scripts.changes import TEXTS
from .errors import HARMLESS, NotSent, error_code, unavailable
from .nodes import Command, Replies, Run
from .url import RedisURL

operation_deadline: ContextVar[float] = ContextVar("operation_deadline", default=math.inf)


def seconds_left() -> float:
    """Until the deadline of the operation under way; never nothing, which would mean not to wait at all."""
    return max(operation_deadline.get() - time.monotonic(), 0.001)


class _Socket:
    """A socket whose every call ends by the deadline. redis-py's own limit begins anew with each."""

    __slots__ = ("_limit", "_socket")

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._limit = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        self._limit = math.inf if seconds is None else seconds

    def recv(self, *arguments: Any) -> bytes:
        self._socket.settimeout(min(self._limit, seconds_left()))
        data: bytes = self._socket.recv(*arguments)
        return data

    def recv_into(self, *arguments: Any) -> int:
        self._socket.settimeout(min(self._limit, seconds_left()))
        size: int = self._socket.recv_into(*arguments)
        return size

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(min(self._limit, seconds_left()))
        self._socket.sendall(data)


# redis-py sets these once; here they are what is left at the moment when they are read.
_left = property(lambda self: seconds_left(), lambda self, seconds: None)


def _limited(kind: Any) -> Any:
    """The same class of connections, each of whose waits ends by the deadline."""

    def connect(self: Any) -> _Socket:
        try:
            return _Socket(kind._connect(self))
        except OSError:  # some are ValueErrors too
            raise
        except (OverflowError, ValueError):  # a server named a host or a port that no socket takes
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from None

    members = {"_connect": connect, "socket_timeout": _left, "socket_connect_timeout": _left}
    return type(kind.__name__, (kind,), members)


_Pool: Any = type("Pool", (BlockingConnectionPool,), {"timeout": _left})
_TCP, _TLS, _UNIX = map(_limited, (Connection, SSLConnection, UnixDomainSocketConnection))


class Server:
    """One Redis server.

    :param place: the parsed URL; its hosts and path are not used here.
    :param where: redis-py's arguments for the address: ``host`` and ``port``, or ``path``.
    :param check: called once for each new connection, with a function that runs commands on it; raises to refuse it.
    """

    def __init__(self, place: RedisURL, where: dict[str, object], check: Callable[[Run], None]) -> None:
        self._check = check
        self._db = place.db
        self._closings = 0
        self._pool: Any = _Pool(
            connection_class=_UNIX if "path" in where else _TCP if place.tls is None else _TLS,
            max_connections=place.max_connections,
            username=place.username,
            password=place.password,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._on_connect,
            **where,
            **(place.tls or {}),
        )

    def run(self, commands: Sequence[Command], deadline: float) -> Replies:
        """The replies to ``commands``, sent together on one connection.

        :raises StoreUnavailable: Redis did not answer them all, or answered one of them with an error;
            :class:`NotSent` when it got none of them.
        :raises ConfigError: the server cannot be used.
        """
        token = operation_deadline.set(deadline)
        closings = self._closings
        try:
            connection = self._connection()
            try:
                return _exchange(connection, commands)
            except BaseException as error:
                if error_code(error) not in HARMLESS:
                    # The next operation asks a server that was judged anew.
                    connection.disconnect()
                raise
            finally:
                if closings != self._closings:
                    connection.disconnect()
                self._pool.release(connection)
        except (RedisError, OSError) as error:
            if error_code(error) == "READONLY":
                self.close()
            raise unavailable(error) from None
        finally:
            operation_deadline.reset(token)

    def _connection(self) -> Any:
        try:
            return self._pool.get_connection()
        except StoreUnavailable as error:
            raise NotSent(error.reason) from None
        except (RedisError, OSError, ChildDeadlockedError) as error:
            raise NotSent(unavailable(error).reason) from None

    def dial(self) -> Any:
        """A new connection outside the pool, checked as each in it was. It dials until :data:`operation_deadline`.

        :raises RedisError: there is none, as with ``OSError``.
        :raises StoreUnavailable: the server cannot be used for now.
        :raises ConfigError: the server cannot be used.
        """
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection

    def close(self) -> None:
        """Close the idle connections, and the others when they are returned."""
        self._closings += 1
        if self._pool.pid != os.getpid():
            return  # these connections are the parent's
        # redis-py would disconnect also those that other threads use, or are about to.
        places = []
        try:
            with suppress(Empty):
                while True:
                    places.append(self._pool.pool.get_nowait())
        finally:
            for connection in reversed(places):
                if connection is not None:
                    connection.disconnect()
                self._pool.pool.put_nowait(connection)

    def _on_connect(self, connection: Any) -> None:
        try:
            _parsed(connection.on_connect)
            if self._db:
                self._select(connection)
            self._check(lambda commands: _exchange(connection, commands))
        except BaseException:
            connection.disconnect()
            raise

    def _select(self, connection: Any) -> None:
        """
        :raises ConfigError: there is no such database.
        """
        try:
            _exchange(connection, [("SELECT", self._db)])
        except ResponseError as error:
            if error_code(error):
                raise
            raise ConfigError("store", f"the Redis server has no database {self._db}") from None


def check_files(
    ssl_ca_certs: str | None = None, ssl_certfile: str | None = None, ssl_keyfile: str | None = None, **others: object
) -> None:
    """
    :raises ConfigError: a file for TLS cannot be used.
    """
    # redis-py reads them anew for each connection, when they would seem to be an outage.
    context = ssl.create_default_context()
    name = "ssl_ca_certs"
    try:
        if ssl_ca_certs is not None:
            context.load_verify_locations(ssl_ca_certs)
        name = "ssl_certfile, ssl_keyfile"
        if ssl_certfile is not None or ssl_keyfile is not None:
            context.load_cert_chain(ssl_certfile or "", ssl_keyfile)
    except OSError as error:
        raise ConfigError("store", f"Redis URL: {name}: {error.strerror or 'no such certificate'}") from None


def _exchange(connection: Any, commands: Sequence[Command]) -> Replies:
    """The replies to ``commands``; scripts that the server does not know are sent in full, and all commands again."""
    replies = _send(connection, commands)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        replies = _send(connection, [_in_full(command) for command in commands])
    for reply in replies:
        # EXEC gives errors within its reply.
        for error in reply if isinstance(reply, list) else [reply]:
            if isinstance(error, ResponseError):
                raise error
    return replies


def _send(connection: Any, commands: Sequence[Command]) -> Replies:
    connection.send_packed_command(connection.pack_commands(commands))
    return [_reply(connection) for _ in commands]


def _reply(connection: Any) -> Any:
    try:
        return _parsed(connection.read_response)
    except ResponseError as error:
        return error


def _parsed(read: Callable[[], Any]) -> Any:
    """What redis-py reads. Its parser and its classes of errors fail at some replies.

    :raises InvalidResponse: they did.
    """
    try:
        return read()
    except (RecursionError, TypeError, ValueError):
        raise InvalidResponse from None


def _in_full(command: Command) -> Command:
    return ("EVAL", TEXTS[str(command[1])], *command[2:]) if command[0] == "EVALSHA" else command
