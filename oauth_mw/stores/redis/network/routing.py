"""The server of a key: that of the URL, the primary that Sentinels name, or in a cluster the node that has the key.

Connections, pools and hash slots are redis-py's. Its clients for clusters and Sentinels are not used (read in 5.3 and
8.1), because they cannot keep these promises, even without retries: EVAL and its WAIT on one connection
(``ClusterPipeline`` repeats a command on another one); a map of the cluster only from a node that reports it as working
(``NodesManager`` takes any); one deadline for all (it dials in its constructor, and sleeps); the Sentinels' majority
(``Sentinel.discover_master`` returns the first reply). A command is sent again only if a server replied that it did
nothing, or if none was sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ....errors import ConfigError, StoreUnavailable
from ...decoding import decimal
from ..rows import in_pairs
from . import Command, Dial, Replies, RunUntil, Servers
from .checks import check_sentinel, check_server
from .cluster import Cluster
from .connections import Server, check_files
from .topology import LOOKUP_SECONDS, Topology, address_of, query_each
from .url import Address, RedisURL


class SingleServer:
    """The same server for every key."""

    single_node = True

    def __init__(self, place: RedisURL) -> None:
        address = place.hosts[0] if place.hosts else place.path
        self._server = Server(place, address, partial(check_server, cluster=False))
        self.close = self._server.close

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        return self._server.run(commands, deadline)

    def primaries(self, deadline: float) -> Iterable[RunUntil]:
        return [self._server.run]

    def dialer(self, key: str) -> Dial:
        return self._server.dial


@dataclass(frozen=True)
class _Primary:
    """As named by replies to commands that were sent at ``since`` or later, by the monotonic clock."""

    address: Address
    server: Server
    since: float


class Sentinels:
    """The primary of a service, as a majority of the Sentinels names it; read again every :data:`LOOKUP_SECONDS`.

    So a worker that is cut off together with a replaced primary stops using it.
    """

    single_node = True

    def __init__(self, place: RedisURL) -> None:
        self._place = place
        username = place.sentinel_username if place.sentinel_password else None
        for_sentinels = replace(place, db=0, username=username, password=place.sentinel_password or None)
        self._sentinels = [Server(for_sentinels, host, check_sentinel) for host in place.hosts]
        self._answering = len(self._sentinels)
        self._topology = Topology(self._find)

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        return self._primary(deadline).run(commands, deadline)

    def primaries(self, deadline: float) -> Iterable[RunUntil]:
        return [self._primary(deadline).run]

    def dialer(self, key: str) -> Dial | None:
        primary = self._topology.current
        return primary.server.dial if primary else None

    def close(self) -> None:
        for sentinel in self._sentinels:
            sentinel.close()
        if self._topology.current is not None:
            self._topology.current.server.close()

    def _primary(self, deadline: float) -> Server:
        primary = self._topology.current
        if primary is None or time.monotonic() >= primary.since + LOOKUP_SECONDS:
            primary = self._topology.refreshed(primary, deadline)
        return primary.server

    def _find(self, deadline: float) -> _Primary:
        since, before = time.monotonic(), self._topology.current
        address = self._address(deadline)
        if before is not None and before.address == address:
            return replace(before, since=since)
        if before is not None:
            before.server.close()
        server = Server(self._place, address, partial(check_server, cluster=False))
        return _Primary(address, server, since)

    def _address(self, deadline: float) -> Address:
        """The primary's address, from the reply with the highest config-epoch among a majority of the Sentinels."""
        named: list[tuple[int, Address]] = []
        answered: list[Server] = []
        failed, service = "", self._place.service
        commands = [("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service), ("SENTINEL", "MASTERS")]
        replies = query_each(self._sentinels, commands, deadline, lambda _, *each: _named(service, *each))
        for number, (sentinel, found) in enumerate(replies, 1):
            if isinstance(found, StoreUnavailable):
                failed = found.reason
            else:
                named += found
                answered.append(sentinel)
            if 2 * len(named) > len(self._sentinels) and number >= self._answering:
                break
        # Sentinels that did not answer go last, and are left out while the others suffice.
        self._sentinels.sort(key=lambda sentinel: sentinel not in answered)
        self._answering = len(answered)
        if 2 * len(named) > len(self._sentinels):
            return max(named)[1]
        if failed:
            raise StoreUnavailable(f"too few Sentinels answer: {failed}")
        if named:
            raise StoreUnavailable("too few Sentinels know the service")
        raise ConfigError("store", f"the Sentinels know no service {service}")


def _named(service: str, found: Any, states: Any) -> list[tuple[int, Address]]:
    """The service's config-epoch and the primary's address, if the Sentinel knows the service.

    :param found: the reply to SENTINEL GET-MASTER-ADDR-BY-NAME, ``states`` that to SENTINEL MASTERS.
    """
    if found is None:
        return []
    host, port = found
    masters = [dict(in_pairs(state)) for state in states]
    epochs = {master[b"name"]: decimal(master[b"config-epoch"]) for master in masters}
    return [(epochs.get(service.encode(), 0), address_of(host, decimal(port)))]


def connect(place: RedisURL) -> Servers:
    """The servers of a URL, which are connected to when the first command is run.

    :raises ConfigError: a file for TLS cannot be used.
    """
    if place.tls is not None:
        check_files(place.tls)
    if place.cluster:
        return Cluster(place)
    return Sentinels(place) if place.service else SingleServer(place)
