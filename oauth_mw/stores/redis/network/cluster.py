"""The nodes of a cluster, and which of them has which key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ResponseError

from ....errors import ConfigError, StoreUnavailable
from ..rows import read
from .checks import judge, judge_node, read_info
from .connections import Server
from .errors import Elsewhere, Unsent
from .nodes import Command, Replies, Run
from .topology import Address, Known, address_of, at, in_turn
from .url import RedisURL

# A command is sent to one node after another at most so often.
HOPS = 5
READS_WHEN_DOWN = "cluster-allow-reads-when-down"


@dataclass(eq=False)
class _Map:
    """Who has which slot, as one node knew it.

    :param nodes: primaries and replicas; first the one that told.
    :param doubted: something was different since.
    """

    slots: list[Address | None]
    nodes: list[Address]
    doubted: bool = False


class Cluster:
    """For each key the node that has it. Where something fails, the nodes are asked before the next operation."""

    one = False

    def __init__(self, place: RedisURL) -> None:
        self._place = place
        self._servers: dict[Address, Server] = {}
        self._known = Known(self._find)

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        slot = key_slot(key.encode())
        known = self._map(deadline)
        address, once = known.slots[slot], False
        for _ in range(HOPS):
            if address is None:
                known.doubted = True
                raise StoreUnavailable("the Redis cluster is down")
            run = self._server(address).run
            try:
                return _asked(run, commands, deadline) if once else run(commands, deadline)
            except Elsewhere as error:
                # No batch of commands writes before the one that was sent elsewhere.
                address, once = (error.host or address[0], error.port), error.once
                if not once:
                    known.slots[slot], known.doubted = address, True
            except Unsent:
                before, known.doubted = known, True
                if time.monotonic() < deadline:
                    known = self._known.better(known, deadline)
                if known is before:
                    raise
                address, once = known.slots[slot], False
            except StoreUnavailable:
                known.doubted = True
                raise
        raise StoreUnavailable("the nodes of the Redis cluster do not agree")

    def each(self, deadline: float) -> Iterable[Callable[[Sequence[Command], float], Replies]]:
        known = self._map(deadline)
        return [partial(self._run, known, address) for address in _primaries(known)]

    def _run(self, known: _Map, address: Address, commands: Sequence[Command], deadline: float) -> Replies:
        try:
            return self._server(address).run(commands, deadline)
        except StoreUnavailable:
            known.doubted = True
            raise

    def close(self) -> None:
        if self._known.last is not None:
            self._known.last.doubted = True
        for server in list(self._servers.values()):
            server.close()

    def _map(self, deadline: float) -> _Map:
        known = self._known.last
        return self._known.better(known, deadline) if known is None or known.doubted else known

    def _server(self, address: Address) -> Server:
        found = self._servers.get(address)
        if found is None:
            found = self._servers.setdefault(address, Server(self._place, at(address), _judge))
        return found

    def _find(self, deadline: float) -> _Map:
        before = self._known.last.nodes if self._known.last else []
        place = replace(self._place, max_connections=1)
        addresses = dict.fromkeys([*before, *self._place.hosts])
        nodes = {Server(place, at(each), judge_node): each for each in addresses}
        try:
            found = _ask(nodes, deadline)
        finally:
            for node in nodes:
                node.close()
        primaries = _primaries(found)
        for address in list(self._servers):
            if address not in primaries:
                self._servers.pop(address).close()
        return found


def _judge(run: Run) -> None:
    judge(run, cluster=True)
    with suppress(ResponseError):  # not everybody may ask that
        (setting,) = run([("CONFIG", "GET", READS_WHEN_DOWN)])
        if setting == [READS_WHEN_DOWN.encode(), b"yes"]:
            raise ConfigError(
                "store",
                f"the Redis cluster has {READS_WHEN_DOWN} yes: a node that is cut off would go on without what is "
                "revoked elsewhere",
            )


def _ask(nodes: dict[Server, Address], deadline: float) -> _Map:
    """What the first node says that sees the whole cluster at work."""
    commands = [("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")]
    failed = ""
    for node, found in in_turn(list(nodes), commands, deadline):
        try:
            if isinstance(found, StoreUnavailable):
                raise found
            # One that is cut off from most of the others knows that, but not what they decide.
            if read(read_info, found[0]).get("cluster_state") == "ok":
                return read(_read_map, found[1], nodes[node])
            failed = "the Redis cluster is down"
        except StoreUnavailable as error:
            failed = error.reason
    raise StoreUnavailable(failed)


def _read_map(ranges: Any, teller: Address) -> _Map:
    """
    :param ranges: the reply to CLUSTER SLOTS: first and last slot, and the nodes that have them.
    """
    slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    nodes = {teller: None}
    for first, last, *members in ranges:
        # Without a host it is the one that tells.
        addresses = [address_of(member[0] or teller[0].encode(), member[1]) for member in members]
        if not 0 <= first <= last < REDIS_CLUSTER_HASH_SLOTS:
            raise ValueError("no slots")
        slots[first : last + 1] = [addresses[0]] * (last + 1 - first)
        nodes |= dict.fromkeys(addresses)
    return _Map(slots, list(nodes))


def _primaries(known: _Map) -> list[Address]:
    return [address for address in dict.fromkeys(known.slots) if address is not None]


def _asked(run: Callable[[Sequence[Command], float], Replies], commands: Sequence[Command], deadline: float) -> Replies:
    """Run on a node what it answers only to who was sent there, and to him but once."""
    return run([each for command in commands for each in (("ASKING",), command)], deadline)[1::2]
