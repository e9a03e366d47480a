"""The store on Redis, on one server or several. Nothing here imports redis-py before a URL is used."""

from __future__ import annotations

from .store import RedisStore

__all__ = ["RedisStore"]
