"""Connections to Redis servers: one server, Sentinels, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

Command = Sequence[bytes | str | int]
Replies = list[Any]
# Run commands on one connection; the second, until a deadline by ``time.monotonic``.
Run = Callable[[Sequence[Command]], Replies]
RunUntil = Callable[[Sequence[Command], float], Replies]
# See :meth:`.connections.Server.dial`.
Dial = Callable[[], Any]


class Servers(Protocol):
    """One Redis server, or several. ``single_node`` is true if one server has all keys."""

    @property
    def single_node(self) -> bool: ...

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        """Send ``commands`` together on one connection to the server that has ``key``; return the replies.

        :raises StoreUnavailable: it did not answer them all, or answered one with an error.
        :raises ConfigError: it cannot be used.
        """

    def primaries(self, deadline: float) -> Iterable[RunUntil]:
        """For each primary, a function that runs commands on it."""

    def dialer(self, key: str) -> Dial | None:
        """A function that dials the server that last had ``key``, equal for the same server; ``None`` at first."""

    def close(self) -> None:
        """Close all connections; the next :meth:`run` opens new ones."""
