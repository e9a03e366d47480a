"""Which server is asked: the one of the URL, the primary that Sentinels name, or in a cluster the node with the key.

redis-py's own clients for these repeat commands and have no limit for all that they do. These send
a command again only where nothing was done, and ask where the servers are within the operation's
deadline: each Sentinel or node has a part of the time, who answered last is asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from .checks import check_server
from .cluster import Cluster
from .connections import Server, check_files
from .nodes import Command, Replies, Servers
from .sentinels import Sentinels
from .topology import at
from .url import RedisURL


class SingleServer:
    """The same server for every key."""

    single_node = True

    def __init__(self, place: RedisURL) -> None:
        where: dict[str, object] = at(place.hosts[0]) if place.hosts else {"path": place.path}
        self._server = Server(place, where, partial(check_server, cluster=False))

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        return self._server.run(commands, deadline)

    def primaries(self, deadline: float) -> Iterable[Callable[[Sequence[Command], float], Replies]]:
        return [self._server.run]

    def dialer(self, key: str) -> Callable[[], Any]:
        return self._server.dial

    def close(self) -> None:
        self._server.close()


def connect(place: RedisURL) -> Servers:
    """Ready to connect, when the first command is to be run.

    :raises ConfigError: a file for TLS cannot be used.
    """
    if place.tls is not None:
        check_files(**place.tls)
    if place.cluster:
        return Cluster(place)
    return Sentinels(place) if place.service else SingleServer(place)
