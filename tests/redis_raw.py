"""What lies in Redis, seen past the store."""

from __future__ import annotations

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

    def store(self, field: str) -> Any:
        return self.client.hget(self.key("store"), field)

    def close(self) -> None:
        self.client.close()
