"""The nodes of a cluster, and the node of each key."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ResponseError

from ....errors import ConfigError, NotSent, StoreUnavailable
from . import Command, Dial, Replies, Run, RunUntil
from .checks import check_node, check_server, read_info
from .connections import Server
from .errors import Redirected
from .topology import Topology, address_of, query_each
from .url import Address, RedisURL

# The most redirects that a command follows.
HOPS = 5
READS_WHEN_DOWN = "cluster-allow-reads-when-down"


@dataclass(eq=False)
class _SlotMap:
    """The primary of each slot, as one node reported it.

    :param nodes: primaries and replicas; first the node that reported.
    :param stale: a server has contradicted it.
    """

    slots: list[Address | None]
    nodes: list[Address]
    stale: bool = False


class Cluster:
    """The node of each key. After any failure the map is read again before the next operation."""

    single_node = False

    def __init__(self, place: RedisURL) -> None:
        self._place = place
        self._servers: dict[Address, Server] = {}
        self._topology = Topology(self._find)

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        slot = key_slot(key.encode())
        slot_map = self._slot_map(deadline)
        address, asking = slot_map.slots[slot], False
        for _ in range(HOPS):
            if address is None:
                slot_map.stale = True
                raise StoreUnavailable("the Redis cluster is down")
            run = self._server(address).run
            try:
                return _run_asking(run, commands, deadline) if asking else run(commands, deadline)
            except Redirected as error:
                # No command before the redirected one has written anything.
                address, asking = (error.host or address[0], error.port), error.asking
                if not asking:
                    slot_map.slots[slot], slot_map.stale = address, True
            except NotSent:
                before, slot_map.stale = slot_map, True
                if time.monotonic() < deadline:
                    slot_map = self._topology.refreshed(slot_map, deadline)
                if slot_map is before:
                    raise
                address, asking = slot_map.slots[slot], False
            except StoreUnavailable:
                slot_map.stale = True
                raise
        raise StoreUnavailable("the nodes of the Redis cluster do not agree")

    def primaries(self, deadline: float) -> Iterable[RunUntil]:
        slot_map = self._slot_map(deadline)
        return [partial(self._run, slot_map, address) for address in _primaries(slot_map)]

    def _run(self, slot_map: _SlotMap, address: Address, commands: Sequence[Command], deadline: float) -> Replies:
        try:
            return self._server(address).run(commands, deadline)
        except StoreUnavailable:
            slot_map.stale = True
            raise

    def dialer(self, key: str) -> Dial | None:
        slot_map = self._topology.current
        address = slot_map.slots[key_slot(key.encode())] if slot_map else None
        return self._server(address).dial if address else None

    def close(self) -> None:
        if self._topology.current is not None:
            self._topology.current.stale = True
        for server in list(self._servers.values()):
            server.close()

    def _slot_map(self, deadline: float) -> _SlotMap:
        slot_map = self._topology.current
        return self._topology.refreshed(slot_map, deadline) if slot_map is None or slot_map.stale else slot_map

    def _server(self, address: Address) -> Server:
        found = self._servers.get(address)
        if found is None:
            found = self._servers.setdefault(address, Server(self._place, address, _check))
        return found

    def _find(self, deadline: float) -> _SlotMap:
        before = self._topology.current.nodes if self._topology.current else []
        place = replace(self._place, max_connections=1)
        nodes = {Server(place, each, check_node): each for each in dict.fromkeys([*before, *place.hosts])}
        try:
            found = _first_slot_map(nodes, deadline)
        finally:
            for node in nodes:
                node.close()
        primaries = _primaries(found)
        for address in list(self._servers):
            if address not in primaries:
                self._servers.pop(address).close()
        return found


def _check(run: Run) -> None:
    check_server(run, cluster=True)
    with suppress(ResponseError):  # a user may lack the right to read settings
        (setting,) = run([("CONFIG", "GET", READS_WHEN_DOWN)])
        if setting == [READS_WHEN_DOWN.encode(), b"yes"]:
            risk = "set it to no, since a node that is cut off would miss revocations"
            raise ConfigError("store", f"the Redis cluster has {READS_WHEN_DOWN} yes: {risk}")


def _first_slot_map(nodes: dict[Server, Address], deadline: float) -> _SlotMap:
    """The slot map of the first node that reports the cluster as working."""
    commands, failed = [("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")], ""
    for _, found in query_each(list(nodes), commands, deadline, lambda node, *each: _read_slot_map(nodes[node], *each)):
        if isinstance(found, _SlotMap):
            return found
        failed = found.reason
    raise StoreUnavailable(failed)


def _read_slot_map(source: Address, info: bytes, ranges: Any) -> _SlotMap:
    # A node that is cut off from the majority does not know what the majority decides, and reports a failure.
    if read_info(info).get("cluster_state") != "ok":
        raise StoreUnavailable("the Redis cluster is down")
    # The reply to CLUSTER SLOTS: first and last slot, and the nodes that have them.
    slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    nodes = {source: None}
    for first, last, *members in ranges:
        # An empty host is that of the replying node.
        addresses = [address_of(member[0] or source[0].encode(), member[1]) for member in members]
        if not 0 <= first <= last < REDIS_CLUSTER_HASH_SLOTS:
            raise ValueError("no slots")
        slots[first : last + 1] = [addresses[0]] * (last + 1 - first)
        nodes |= dict.fromkeys(addresses)
    return _SlotMap(slots, list(nodes))


def _primaries(slot_map: _SlotMap) -> list[Address]:
    return [address for address in dict.fromkeys(slot_map.slots) if address is not None]


def _run_asking(run: RunUntil, commands: Sequence[Command], deadline: float) -> Replies:
    """Run commands at the target of an ASK redirect: each is preceded by ASKING."""
    return run([each for command in commands for each in (("ASKING",), command)], deadline)[1::2]
