"""The server of a key: that of the URL, the primary that Sentinels name, or in a cluster the node that has the key.

Connections, pools and hash slots are redis-py's. Its clients for clusters and Sentinels are not used (read in 5.3 and
8.1), because they cannot keep these promises, with retries off either:

- EVAL and its WAIT on one connection: ``ClusterPipeline`` sends each command that failed for its connection again by
  itself, perhaps on another connection, where WAIT would confirm nothing.
- The map of a cluster that works: ``NodesManager`` takes CLUSTER SLOTS from any node that answers, also from one that
  is cut off, since it never reads ``cluster_state``. ``get_node_from_key`` reads that map.
- A deadline for all: ``NodesManager`` dials in its constructor and tries the nodes in random order with a whole timeout
  for each; a cluster that is down costs a sleep besides. Here each node or Sentinel has its share of the time.
- The Sentinels' majority: ``Sentinel.discover_master`` returns the first answer, however many fail-overs its Sentinel
  has missed, and is not called again while connections are good.

A command is sent again only where a server says that it did nothing, or where none was sent.
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
