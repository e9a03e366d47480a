"""How Redis servers are reached: one server, Sentinels, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

Command = Sequence[bytes | str | int]
Replies = list[Any]
# Runs commands on one connection; the second, until a deadline by ``time.monotonic``.
Run = Callable[[Sequence[Command]], Replies]
RunUntil = Callable[[Sequence[Command], float], Replies]
# See :meth:`.connections.Server.dial`.
Dial = Callable[[], Any]


class Servers(Protocol):
    """One Redis server, or several. ``single_node`` is true when no two keys can be on two of them."""

    @property
    def single_node(self) -> bool: ...

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        """The replies of the server that has ``key`` to ``commands``, sent together on one connection.

        :raises StoreUnavailable: it did not answer them all, or one of them with an error.
        :raises ConfigError: it cannot be used.
        """

    def primaries(self, deadline: float) -> Iterable[RunUntil]:
        """What runs commands on each primary."""

    def dialer(self, key: str) -> Dial | None:
        """What dials the server that last had ``key``, equal for the same server; ``None`` before the first run."""

    def close(self) -> None:
        """Close all connections; the next :meth:`run` opens new ones."""
