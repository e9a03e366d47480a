"""Stores for measuring on Redis: one server, one behind Sentinels, or a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

from oauth_mw.model import TokenRecord
from oauth_mw.stores.redis.network.url import parse_url
from oauth_mw.stores.redis.rows import Keys, token_text

AT_ONCE = 1000


class Redis:
    """A prefix on the servers at ``url`` for each store. Nothing else may use them: their memory is measured."""

    sweeps = False

    def __init__(self, url: str) -> None:
        self._url = url

    def version(self) -> str:
        with closing(_connected(self._url)) as server:
            return f"Redis {server.info('server')['redis_version']}"

    @contextmanager
    def place(self, name: str) -> Iterator[str]:
        prefix = f"scale-{name}-{os.urandom(3).hex()}"
        url = f"{self._url}{'&' if '?' in self._url else '?'}prefix={prefix}"
        try:
            yield url
        finally:
            with closing(_connected(url)) as server:
                found = server.scan_iter(match=f"*{prefix}*", count=AT_ONCE)
                while keys := list(islice(found, AT_ONCE)):
                    pipeline = server.pipeline(transaction=False)
                    for key in keys:
                        pipeline.unlink(key)
                    pipeline.execute()

    def fill(self, url: str, token: TokenRecord, keys: Iterable[bytes]) -> None:
        names, text, now, left = Keys(parse_url(url).prefix), token_text(token), int(time.time()), iter(keys)
        with closing(_connected(url)) as server:
            while batch := list(islice(left, AT_ONCE)):
                pipeline = server.pipeline(transaction=False)
                for key in batch:
                    pipeline.set(names.token(key), text, ex=int.from_bytes(key[:4]) - now)
                pipeline.execute()

    def size(self, url: str) -> int:
        return _sum(url, "memory", "used_memory")

    def transactions(self) -> int:
        """Commands that the server, or all primaries, have run."""
        return _sum(self._url, "stats", "total_commands_processed")


def _sum(url: str, section: str, name: str) -> int:
    """A figure of the server, or of all primaries of a cluster together."""
    with closing(_connected(url)) as server:
        if not isinstance(server, RedisCluster):
            return int(server.info(section)[name])
        # For several nodes at once, redis-py answers in another form than for one.
        return sum(int(server.info(section, target_nodes=node)[name]) for node in server.get_primaries())


def _connected(url: str) -> redis.Redis | RedisCluster:
    place = parse_url(url)
    options: dict[str, Any] = {"username": place.username, "password": place.password}
    if place.tls is not None:
        options |= {"ssl": True, **place.tls}
    if place.cluster:
        return RedisCluster(startup_nodes=[ClusterNode(*each) for each in place.hosts], **options)
    options["db"] = place.db
    if place.service:
        login = {"username": place.sentinel_username, "password": place.sentinel_password}
        return Sentinel(place.hosts, sentinel_kwargs=login).master_for(place.service, **options)
    if place.path:
        return redis.Redis(unix_socket_path=place.path, **options)
    return redis.Redis(*place.hosts[0], **options)
