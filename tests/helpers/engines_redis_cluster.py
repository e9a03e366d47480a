"""A Redis Cluster of the tests' own: some primaries, each with a replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import combinations
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot

from helpers.engines_base import Group, wait_until
from helpers.engines_redis import Redis, client_of

NODE_TIMEOUT = 1500


class Cluster(Group):
    """``Cluster(appendonly="yes")``; up in some three seconds.

    :param node_timeout: milliseconds after which a node that does not answer is replaced.
    :param settings: of every node.
    """

    def __init__(self, primaries: int = 3, node_timeout: int = NODE_TIMEOUT, **settings: object) -> None:
        self._primaries = primaries
        self._settings = {"cluster_enabled": "yes", "cluster_node_timeout": node_timeout, **settings}
        super().__init__()
        self.nodes: list[Redis] = []
        self.url = ""

    def _start(self) -> None:
        for _ in range(2 * self._primaries):
            self.nodes.append(self._opened.enter_context(Redis(**self._settings)))
        self._join()
        wait_until(self.is_well, "the cluster")
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        login = f":{self._settings['requirepass']}@" if "requirepass" in self._settings else ""
        self.url = f"redis+cluster://{login}{hosts}"

    def _join(self) -> None:
        primaries, replicas = self.nodes[: self._primaries], self.nodes[self._primaries :]
        for number, node in enumerate(primaries):
            first, end = (SLOTS * each // self._primaries for each in (number, number + 1))
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            ask(node, "CLUSTER", "ADDSLOTS", *range(first, end))
        # On their own, they would meet only gradually.
        for node, other in combinations(self.nodes, 2):
            ask(node, "CLUSTER", "MEET", "127.0.0.1", other.port)
        names = {node: ask(node, "CLUSTER", "MYID") for node in self.nodes}
        wait_until(lambda: all(_known(node) == set(names.values()) for node in self.nodes), "the nodes to meet")
        for primary, replica in zip(primaries, replicas, strict=True):
            ask(replica, "CLUSTER", "REPLICATE", names[primary])

    def is_well(self) -> bool:
        """Every node sees every slot served, with a replica."""
        with suppress(redis.RedisError):
            return all(map(self._is_complete, self.nodes))
        return False

    def _is_complete(self, node: Redis) -> bool:
        with client_of(node) as client:
            link = client.info("replication").get("master_link_status", "up")
        ranges = ask(node, "CLUSTER", "SLOTS")
        state = b"cluster_state:ok" in ask(node, "CLUSTER", "INFO")
        return state and link == "up" and len(ranges) > 0 and all(len(members) > 1 for _, _, *members in ranges)

    def primary_of(self, key: str) -> Redis | None:
        """The node that serves a key, as most of the nodes see it."""
        slot, named = key_slot(key.encode()), []
        for node in self.nodes:
            with suppress(redis.RedisError):
                ranges = ask(node, "CLUSTER", "SLOTS")
                named += [members[0][1] for first, last, *members in ranges if first <= slot <= last]
        most = [node for node in self.nodes if 2 * named.count(node.port) > len(self.nodes)]
        return most[0] if most else None

    def rejoin(self, node: Redis) -> None:
        """Start a node that was killed, as a replica of the one that took its place."""
        node.start()


def ask(node: Redis, *command: Any) -> Any:
    """Redis's own reply."""
    with client_of(node) as client:
        return client.execute_command(*command)


def _known(node: Redis) -> set[bytes]:
    """The names of the nodes that a node knows; they are final after the handshake of both."""
    return {line.split()[0] for line in ask(node, "CLUSTER", "NODES").splitlines()}


@contextmanager
def moving(cluster: Cluster, slot: int, count: int = 100) -> Iterator[Callable[[], None]]:
    """Move a slot, and ``count`` of its keys, to another node; yield what completes that. At the end, move it back."""
    here = next(node for node in cluster.nodes[:3] if _serves(node, slot))
    there = cluster.nodes[(cluster.nodes.index(here) + 1) % 3]
    finish = _move(cluster, slot, here, there, count)
    yield finish
    finish()
    _move(cluster, slot, there, here)()


def _serves(node: Redis, slot: int) -> bool:
    ranges = ask(node, "CLUSTER", "SLOTS")
    return any(first <= slot <= last and members[0][1] == node.port for first, last, *members in ranges)


def _move(cluster: Cluster, slot: int, here: Redis, there: Redis, count: int = 100) -> Callable[[], None]:
    """Begin to move a slot; return what completes the move."""
    names = {node: ask(node, "CLUSTER", "MYID") for node in (here, there)}
    ask(there, "CLUSTER", "SETSLOT", slot, "IMPORTING", names[here])
    ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", names[there])
    _carry(here, there, slot, count)

    def finish() -> None:
        _carry(here, there, slot, 100)
        for node in (there, here, *cluster.nodes[:3]):
            ask(node, "CLUSTER", "SETSLOT", slot, "NODE", names[there])

    return finish


def _carry(here: Redis, there: Redis, slot: int, count: int) -> None:
    if keys := ask(here, "CLUSTER", "GETKEYSINSLOT", slot, count):
        password = here.settings.get("requirepass")
        login = ("AUTH", password) if password else ()
        ask(here, "MIGRATE", "127.0.0.1", there.port, "", 0, 5000, *login, "KEYS", *keys)
