"""``Postgres`` and ``Redis``: real servers for tests, from wheels."""

from __future__ import annotations

from engines_base import Engine, free_port, wait_until
from engines_postgres import Postgres
from engines_redis import Redis

__all__ = ["Engine", "Postgres", "Redis", "free_port", "wait_until"]
