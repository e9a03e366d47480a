"""Connections to one Redis server: redis-py's, in its pool, which opens new ones after a fork.

redis-py has no common limit for all waits of an operation: for a free connection, the connect, the handshake and the
replies. Here each of them ends by the operation's deadline; only the system limits the look-up of a host's name. This
overrides private names of redis-py: setup.cfg bounds its version, and test_library_privates.py names them.
"""

from __future__ import annotations

import errno
import math
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty
from typing import Any

from redis import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import ChildDeadlockedError, InvalidResponse, NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from ....errors import ConfigError, NotSent, StoreUnavailable
from ..scripts import TEXTS
from . import Command, Replies, Run
from .errors import HARMLESS, error_code, unavailable
from .url import Address, RedisURL

# What redis-py's parser raises for some invalid replies.
PARSER_FAULTS = (RecursionError, TypeError, ValueError)
operation_deadline: ContextVar[float] = ContextVar("operation_deadline", default=math.inf)


def seconds_left() -> float:
    """Seconds until the deadline of the current operation; never 0, with which nothing would be waited for."""
    return max(operation_deadline.get() - time.monotonic(), 0.001)


def _limited_call(name: str) -> Any:
    def call(self: _Socket, *arguments: Any) -> Any:
        self._socket.settimeout(min(self._limit, seconds_left()))
        return getattr(self._socket, name)(*arguments)

    return call


class _Socket:
    """A socket whose calls all end by the deadline. redis-py's own limit starts again with each call."""

    __slots__ = ("_limit", "_socket")

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._limit = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        self._limit = math.inf if seconds is None else seconds

    recv, recv_into, sendall = map(_limited_call, ("recv", "recv_into", "sendall"))


# redis-py sets these once; here each reading gives the seconds that are left.
_left = property(lambda self: seconds_left(), lambda self, seconds: None)


def _limited(kind: Any) -> Any:
    """A subclass of ``kind`` whose waits all end by the deadline."""

    def connect(self: Any) -> _Socket:
        try:
            return _Socket(kind._connect(self))
        except (OverflowError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            # A server reported a host or a port that no socket accepts.
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from None

    members = {"_connect": connect, "socket_timeout": _left, "socket_connect_timeout": _left}
    return type(kind.__name__, (kind,), members)


_Pool: Any = type("Pool", (BlockingConnectionPool,), {"timeout": _left})
_TCP, _TLS, _UNIX = map(_limited, (Connection, SSLConnection, UnixDomainSocketConnection))


class Server:
    """One Redis server.

    :param address: host and port, or the path of a Unix socket.
    :param check: called for each new connection with a function that runs commands on it; raises to refuse it.
    """

    def __init__(self, place: RedisURL, address: Address | str, check: Callable[[Run], None]) -> None:
        self._check = check
        self._db = place.db
        self._closings = 0
        named = isinstance(address, tuple)
        where: dict[str, object] = dict(zip(("host", "port"), address, strict=True)) if named else {"path": address}
        self._pool: Any = _Pool(
            connection_class=_UNIX if not named else _TCP if place.tls is None else _TLS,
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
        """See :meth:`.Servers.run`.

        :raises NotSent: Redis received none of the commands.
        """
        token = operation_deadline.set(deadline)
        closings = self._closings
        try:
            connection = self._connection()
            try:
                return _exchange(connection, commands)
            except BaseException as error:
                if error_code(error) not in HARMLESS:
                    # The next operation opens and checks a new connection.
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
        except (StoreUnavailable, RedisError, OSError, ChildDeadlockedError) as error:
            raise NotSent(unavailable(error).reason) from None

    def dial(self) -> Any:
        """A new connection outside the pool, checked like those in it, by :data:`operation_deadline`.

        :raises Exception: ``RedisError`` or ``OSError``, or what the check raises.
        """
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        return connection

    def close(self) -> None:
        """Close the idle connections, and the others when they are returned."""
        self._closings += 1
        if self._pool.pid != os.getpid():
            return  # the connections are the parent's
        # redis-py would also disconnect those that other threads use or are about to use.
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
                _select(connection, self._db)
            self._check(lambda commands: _exchange(connection, commands))
        except BaseException:
            connection.disconnect()
            raise


def _select(connection: Any, db: int) -> None:
    try:
        _exchange(connection, [("SELECT", db)])
    except ResponseError as error:
        if error_code(error):
            raise
        raise ConfigError("store", f"the Redis server has no database {db}") from None


def check_files(tls: Mapping[str, Any]) -> None:
    """
    :raises ConfigError: a file for TLS cannot be used.
    """
    # redis-py reads them for each connection, where a fault in them would seem to be an outage.
    context, name = ssl.create_default_context(), "ssl_ca_certs"
    try:
        if name in tls:
            context.load_verify_locations(tls[name])
        name = "ssl_certfile, ssl_keyfile"
        if "ssl_certfile" in tls or "ssl_keyfile" in tls:
            context.load_cert_chain(tls.get("ssl_certfile", ""), tls.get("ssl_keyfile"))
    except OSError as error:
        raise ConfigError("store", f"Redis URL: {name}: {error.strerror or 'no such certificate'}") from None


def _exchange(connection: Any, commands: Sequence[Command]) -> Replies:
    """The replies to ``commands``. If the server does not know a script, all are sent again, with scripts in full."""
    replies = _send(connection, commands)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        in_full = [("EVAL", TEXTS[str(each[1])], *each[2:]) if each[0] == "EVALSHA" else each for each in commands]
        replies = _send(connection, in_full)
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply
    return replies


def _send(connection: Any, commands: Sequence[Command]) -> Replies:
    connection.send_packed_command(connection.pack_commands(commands))
    replies: Replies = []
    for _ in commands:
        try:
            replies.append(_parsed(connection.read_response))
        except ResponseError as error:
            replies.append(error)
    return replies


def _parsed(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except PARSER_FAULTS:
        raise InvalidResponse from None
