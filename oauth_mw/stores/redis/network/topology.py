"""The addresses of the servers, read from the servers themselves by the deadline of the operation that needs them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ....errors import ConfigError, StoreUnavailable
from ...decoding import blob, number
from .connections import Server
from .nodes import Command, Replies

LOOKUP_SECONDS = 0.5

Address = tuple[str, int]
T = TypeVar("T")


def address_of(host: Any, port: Any) -> Address:
    """The address of a server, as another server reports it.

    :raises ValueError: it is no address.
    """
    if not host or not 0 < number(port) < 65536:
        raise ValueError("no address")
    return blob(host).decode(), port


def at(address: Address) -> dict[str, object]:
    """redis-py's arguments for an address."""
    return dict(zip(("host", "port"), address, strict=True))


class Topology(Generic[T]):
    """The current topology. One thread at a time looks it up, at most once per :data:`LOOKUP_SECONDS`.

    :param find: looks it up by a deadline.
    """

    def __init__(self, find: Callable[[float], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._clock = clock
        self._failed: StoreUnavailable | ConfigError | None = None
        self._next = float("-inf")
        self._locks: dict[int, threading.Lock] = {}
        self.current: T | None = None

    def refreshed(self, stale: T | None, deadline: float) -> T:
        """The current topology; looked up first if it is still ``stale`` and the last look-up is not too recent.

        :raises StoreUnavailable: it could not be looked up.
        :raises ConfigError: the servers are of another kind.
        """
        # A lock that a child inherited may be held for ever.
        lock = self._locks.setdefault(os.getpid(), threading.Lock())
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


def ask_each(
    servers: Sequence[Server], commands: Sequence[Command], deadline: float
) -> Iterator[tuple[Server, Replies | StoreUnavailable]]:
    """The replies of one server after another, each within its share of the time; an error where there are none.

    :raises ConfigError: a server is of another kind.
    """
    for left, server in zip(range(len(servers) + 1, 1, -1), servers, strict=True):
        now = time.monotonic()
        try:
            yield server, server.run(commands, now + (deadline - now) / left)
        except StoreUnavailable as error:
            yield server, error
