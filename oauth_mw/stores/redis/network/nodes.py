"""Where the keys lie, as the store sees it."""

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
        """A way to run commands on each server that has keys of its own.

        :raises StoreUnavailable: nobody says in time which ones they are.
        """

    def dialer(self, key: str) -> Callable[[], Any] | None:
        """What dials the server that last had ``key``, see :meth:`.connections.Server.dial`; equal for the same server.

        No server is asked, so it is ``None`` before the first :meth:`run`.
        """

    def close(self) -> None:
        """Let go of all connections; the next run makes new ones."""
