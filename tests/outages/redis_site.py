"""A Redis store that a fault can strike."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import redis as driver
from network import Network
from redis.backoff import NoBackoff
from redis.retry import Retry

# What keeps all that was acknowledged.
SETTINGS = {"appendonly": "yes", "appendfsync": "always"}


def new_redis() -> Any:
    from helpers.engines_redis import Redis

    return Redis(**SETTINGS)


class RedisSite:
    """A prefix of its own.

    :param far: the store is reached over a network, which a fault can strike.
    """

    def __init__(self, server: Any, *, far: bool = False) -> None:
        self.server = server
        self.network = Network(server.port) if far else None
        self.prefix = f"test_{os.urandom(5).hex()}"
        port = self.network.port if self.network else server.port
        self.url = f"redis://127.0.0.1:{port}?prefix={self.prefix}"

    def __enter__(self) -> RedisSite:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.network:
            self.network.close()

    def serves(self, service: Any) -> None:
        """No fault needs the worker's own connections."""

    def admin(self) -> driver.Redis:
        return driver.Redis(unix_socket_path=str(self.server.socket), retry=Retry(NoBackoff(), 0))

    def end_connections(self, admin: driver.Redis) -> None:
        """All but this one, so that they have to be made anew."""
        admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
