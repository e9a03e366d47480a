"""The servers that hold the keys, as the store sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

Command = Sequence[bytes | str | int]
Replies = list[Any]
Run = Callable[[Sequence[Command]], Replies]


class Servers(Protocol):
    """One Redis server, or several. ``single_node`` is true when no two keys can lie on two of them."""

    @property
    def single_node(self) -> bool: ...

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        """The replies of the server that has ``key`` to ``commands``, sent together on one connection.

        :param deadline: when to give up, by ``time.monotonic``.
        :raises StoreUnavailable: it did not answer them all, or one of them with an error.
        :raises ConfigError: it cannot be used.
        """

    def primaries(self, deadline: float) -> Iterable[Callable[[Sequence[Command], float], Replies]]:
        """A function for each primary, which runs commands on it.

        :raises StoreUnavailable: the primaries could not be looked up in time.
        """

    def dialer(self, key: str) -> Callable[[], Any] | None:
        """What dials the server that last had ``key``, see :meth:`.connections.Server.dial`; equal for the same server.

        No server is asked, so it is ``None`` before the first :meth:`run`.
        """

    def close(self) -> None:
        """Close all connections; the next :meth:`run` opens new ones."""
