from __future__ import annotations

from contextlib import closing, suppress

import pytest
import redis as driver

from helpers.builders import opened
from helpers.engines import Redis, wait_until
from helpers.engines_redis_cluster import Cluster, ask
from helpers.redis_raw import Raw

PASSWORD = "pw"


@pytest.fixture
def raw(redis_url):
    """The keys of the test's own prefix."""
    with closing(Raw(redis_url)) as raw:
        yield raw


@pytest.fixture
def store(redis_url, clock):
    """A store with a client, and the hand-moved clock."""
    with opened(redis_url, clock=clock) as store:
        yield store


@pytest.fixture(scope="module")
def own_server():
    """A server of the module's own."""
    with Redis() as server:
        yield server


@pytest.fixture
def own(own_server):
    """The keys of a server that a test may harm; everything is undone afterwards."""
    with closing(Raw(own_server.url)) as raw:
        before = raw.client.config_get()
        yield raw
        own_server.resume()
        after = raw.client.config_get()
        for name in {name for name in before if before[name] != after[name]} - {"slaveof", "replicaof"}:
            raw.client.config_set(name, before[name])
        raw.client.replicaof("NO", "ONE")
        raw.client.flushall()


@pytest.fixture(scope="module")
def cluster():
    """A cluster that requires a password."""
    with Cluster(requirepass=PASSWORD, masterauth=PASSWORD) as cluster:
        yield cluster


@pytest.fixture
def cluster_store(cluster):
    """A store in the cluster, with a client."""
    with opened(cluster.url, timeout=1.5) as store:
        yield store
    for node in cluster.nodes:
        node.resume()
    wait_until(cluster.is_well, "the cluster")
    for node in cluster.nodes:
        with suppress(driver.ReadOnlyError):
            ask(node, "FLUSHALL")
