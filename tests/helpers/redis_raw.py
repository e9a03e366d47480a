"""Redis, observed without the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis as driver


def client_of(url: str) -> driver.Redis:
    """redis-py's own client for a store URL."""
    return driver.Redis.from_url(url.partition("?")[0])


def prefix_of(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("prefix", ["oauth_mw"])[0]


class Raw:
    """The keys of one prefix."""

    def __init__(self, url: str) -> None:
        self.client = client_of(url)
        self.prefix = prefix_of(url)

    def key(self, name: str) -> str:
        return "{" + self.prefix + "}:" + name

    def keys(self) -> set[str]:
        return {key.decode() for key in self.client.scan_iter(match=f"*{self.prefix}*")}

    def contents(self) -> dict[str, Any]:
        """All that is there, whatever its order inside Redis."""
        read: dict[bytes, Callable[[str], Any]] = {
            b"string": self.client.get,
            b"hash": self.client.hgetall,
            b"stream": self.client.xrange,
            b"zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
        }
        return {key: read[self.client.type(key)](key) for key in self.keys()}

    def close(self) -> None:
        self.client.close()
