"""Look up the addresses of servers, by the deadline of the operation that needs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ....errors import ConfigError, StoreUnavailable
from ....processes import PerProcess
from ...decoding import blob, number
from ..rows import read
from . import Command
from .checks import shares
from .connections import Server
from .url import Address

LOOKUP_SECONDS = 0.5

T = TypeVar("T")


def address_of(host: Any, port: Any) -> Address:
    """The address of a server, as another server reports it."""
    if not host or not 0 < number(port) < 65536:
        raise ValueError("no address")
    return blob(host).decode(), port


class Topology(Generic[T]):
    """The current topology. One thread at a time looks it up, at most once per :data:`LOOKUP_SECONDS`.

    :param find: looks it up by a deadline.
    """

    def __init__(self, find: Callable[[float], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._clock = clock
        self._failed: StoreUnavailable | ConfigError | None = None
        self._next = float("-inf")
        self._lock = PerProcess(threading.Lock)
        self.current: T | None = None

    def refreshed(self, stale: T | None, deadline: float) -> T:
        """The current topology; looked up first if it is still ``stale`` and the last look-up is not too recent."""
        lock = self._lock.get()
        if not lock.acquire(timeout=max(deadline - self._clock(), 0)):
            raise StoreUnavailable("another thread is still looking up the Redis servers")
        try:
            if self.current is None or self.current is stale:
                self._look_up(deadline)
            if self._failed is not None or self.current is None:
                raise self._failed or StoreUnavailable("the Redis servers have not been looked up yet")
            return self.current
        finally:
            lock.release()

    def _look_up(self, deadline: float) -> None:
        now = self._clock()
        if now < self._next:
            return
        if now >= deadline:
            raise StoreUnavailable("no time is left to look up the Redis servers")
        self._next = now + LOOKUP_SECONDS
        try:
            self.current, self._failed = self._find(deadline), None
        except (StoreUnavailable, ConfigError) as error:
            self._failed, self._next = error, self._clock() + LOOKUP_SECONDS


def query_each(
    servers: Sequence[Server], commands: Sequence[Command], deadline: float, reader: Callable[..., T]
) -> Iterator[tuple[Server, T | StoreUnavailable]]:
    """Yield what ``reader`` reads from the server and its replies, or an error, for one server after another.

    Each has its share of the time.
    """
    for server, until in zip(servers, shares(len(servers), deadline), strict=True):
        try:
            yield server, read(reader, server, *server.run(commands, until))
        except StoreUnavailable as error:
            yield server, error
