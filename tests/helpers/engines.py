"""``Postgres`` and ``Redis``: real servers for tests, from wheels."""

from __future__ import annotations

from helpers.engines_base import Engine, free_port, wait_until
from helpers.engines_postgres import Postgres
from helpers.engines_redis import Redis

__all__ = ["Engine", "Postgres", "Redis", "free_port", "wait_until"]
