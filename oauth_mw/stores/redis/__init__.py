"""The store on Redis: one server now, the same code for more. Nothing here imports redis-py before a URL is used."""

from __future__ import annotations

from .store import RedisStore

__all__ = ["RedisStore"]
