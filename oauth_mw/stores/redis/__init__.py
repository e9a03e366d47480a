"""The store on Redis, on one server or several. redis-py is imported when a URL is first used."""

from __future__ import annotations

from .store import RedisStore

__all__ = ["RedisStore"]
