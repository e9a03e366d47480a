"""What ``connections.py`` uses of redis-py without its promise: setup.cfg bounds the version for that."""

from __future__ import annotations

from queue import Empty

import pytest
from redis import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as NoConnection


def read_only(read):
    return property(read, lambda self, value: None)


@pytest.mark.parametrize("kind", [Connection, SSLConnection, UnixDomainSocketConnection])
def test_a_class_of_connections_may_replace_its_limits_and_how_it_connects(kind):
    used = []

    def connect(self):
        used.append("_connect")
        return kind._connect(self)

    members = {
        "_connect": connect,
        "socket_timeout": read_only(lambda self: used.append("socket_timeout") or 1),
        "socket_connect_timeout": read_only(lambda self: used.append("socket_connect_timeout") or 1),
    }
    where = {"path": "nowhere"} if kind is UnixDomainSocketConnection else {"host": "127.0.0.1", "port": 1}
    connection = type("Ours", (kind,), members)(**where)
    used.clear()

    with pytest.raises(NoConnection):
        connection.connect()

    assert {"_connect", "socket_connect_timeout"} <= set(used)


def test_a_pool_has_its_places_in_a_queue_and_reads_its_timeout_at_each_wait():
    kind = type("Ours", (BlockingConnectionPool,), {"timeout": read_only(lambda self: 0.001)})
    pool = kind(max_connections=1, host="127.0.0.1", port=1)

    assert (pool.connection_class, pool.connection_kwargs["port"]) == (Connection, 1)
    assert pool.pid and pool.pool.get_nowait() is None
    with pytest.raises(Empty):
        pool.pool.get_nowait()
    with pytest.raises(NoConnection, match="No connection available"):
        pool.get_connection()
