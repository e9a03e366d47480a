"""Wake a thread that follows a stream, by XREAD BLOCK on a connection outside the pool.

A wake-up is never evidence: it only makes a worker read the revocation log early. If one is lost, the worker reads the
log at its next poll.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import ChildDeadlockedError, RedisError, TimeoutError

from ....errors import ConfigError, StoreUnavailable
from ...decoding import blob
from ..rows import read
from . import Dial
from .connections import PARSER_FAULTS, operation_deadline

ENTRIES = 100
MIN_PAUSE, MAX_PAUSE = 0.25, 10.0
_FAILURES = (ChildDeadlockedError, ConfigError, OSError, RedisError, StoreUnavailable, *PARSER_FAULTS)


class StreamWatch:
    """See :class:`~oauth_mw.protocols.Waiter`.

    XREAD stays under way from one wait to the next, so that waiting costs an idle Redis one command in ``block``
    seconds, or in the time of one wait where that is longer.

    :param key: the key of the stream.
    :param dialer: see :meth:`.Servers.dialer`.
    :param block: seconds until Redis answers, so that no router forgets the connection.
    :param late: seconds after ``block`` until the connection is closed.
    """

    def __init__(self, key: str, dialer: Callable[[], Dial | None], *, block: float = 30, late: float = 5) -> None:
        self._key = key
        self._dialer = dialer
        self._block = block
        self._late = late
        self._connection: Any = None
        self._dialled: object = None
        self._last: bytes | str = "$"
        self._overdue = self._next_dial = 0.0
        self._pause = MIN_PAUSE

    def wait(self, seconds: float) -> None:
        """See :class:`~oauth_mw.protocols.Waiter`. After dialling it returns at once, for earlier events."""
        end = time.monotonic() + seconds
        token = operation_deadline.set(end)
        try:
            if self._is_woken(seconds):
                return
        except _FAILURES:
            self.close()
            self._next_dial = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, MAX_PAUSE)
        finally:
            operation_deadline.reset(token)
        time.sleep(max(end - time.monotonic(), 0))

    def close(self) -> None:
        connection, self._connection, self._dialled, self._last = self._connection, None, None, "$"
        if connection is not None:
            connection.disconnect()

    def _is_woken(self, seconds: float) -> bool:
        dial = self._dialer()
        # A greenlet outlives a fork, and must not use its parent's connection.
        here = (dial, os.getpid())
        if here != self._dialled:
            self.close()
            if dial is None or time.monotonic() < self._next_dial:
                return False
            self._connection, self._dialled = dial(), here
            self._send_xread(seconds)
            return True
        while True:
            try:
                reply = self._connection.read_response(disconnect_on_error=False)
            except TimeoutError:
                if time.monotonic() < self._overdue:
                    return False
                raise
            self._pause = MIN_PAUSE
            if reply is not None:
                self._last = read(lambda found: blob(found[0][1][-1][0]), reply)
            self._send_xread(seconds)
            if reply is not None:
                return True

    def _send_xread(self, seconds: float) -> None:
        block = max(self._block, seconds)
        self._overdue = time.monotonic() + block + self._late
        words = ("XREAD", "COUNT", ENTRIES, "BLOCK", int(1000 * block), "STREAMS", self._key, self._last)
        self._connection.send_command(*words)
