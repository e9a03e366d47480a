"""Stores for measuring on Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice

import redis

from oauth_mw.model import TokenRecord
from oauth_mw.stores.redis.rows import Keys, token_text
from oauth_mw.stores.redis.url import parse_url

AT_ONCE = 1000


class Redis:
    """A prefix on the server at ``url`` for each store. Nobody else should use the server: its memory is measured."""

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
                    server.unlink(*keys)

    def fill(self, url: str, token: TokenRecord, keys: Iterable[bytes]) -> None:
        names, text, now, left = Keys(parse_url(url).prefix), token_text(token), int(time.time()), iter(keys)
        with closing(_connected(url)) as server:
            while batch := list(islice(left, AT_ONCE)):
                pipeline = server.pipeline(transaction=False)
                for key in batch:
                    pipeline.set(names.token(key), text, ex=int.from_bytes(key[:4]) - now)
                pipeline.execute()

    def size(self, url: str) -> int:
        with closing(_connected(url)) as server:
            return int(server.info("memory")["used_memory"])


def _connected(url: str) -> redis.Redis:
    place = parse_url(url)
    who = {"username": place.username, "password": place.password, "db": place.db}
    if place.path:
        return redis.Redis(unix_socket_path=place.path, **who)
    host, port = place.hosts[0]
    tls = {} if place.tls is None else {"ssl": True, **place.tls}
    return redis.Redis(host, port, **who, **tls)
