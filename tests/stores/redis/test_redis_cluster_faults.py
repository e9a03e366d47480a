"""A cluster whose nodes are cut off, full, or stand still: a refusal in time, and recovery."""

from __future__ import annotations

import contextlib
import time

import pytest
import redis

from helpers.builders import is_dead, issued, key_of, log_of, registered, token_of
from helpers.engines import wait_until
from helpers.engines_redis_cluster import Cluster, ask, client_of
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_wheel("redis")), reason=why_no_wheel("redis"))]

TIMEOUT = 1.5
SLACK = 0.5  # for a machine that is busy
STORE = "{oauth_mw}:store"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def store(cluster):
    with contextlib.closing(open_store(cluster.url, create=True, timeout=TIMEOUT)) as store:
        store.add_client(registered())
        yield store
    for node in cluster.nodes:
        node.resume()
    wait_until(cluster.is_well, "the cluster")
    for node in cluster.nodes:
        with contextlib.suppress(redis.ReadOnlyError):
            ask(node, "FLUSHALL")


def outcome(call):
    """What it raised, and how long it took."""
    began = time.monotonic()
    try:
        call()
        said = "nothing"
    except StoreUnavailable as error:
        said = error.reason
    return said, time.monotonic() - began


def recovers(call):
    wait_until(lambda: outcome(call)[0] == "nothing", "recovery")


def looks_of(store):
    """Grows with each look at where the nodes are."""
    known = store._session.servers._topology
    found, find = [], known._find
    known._find = lambda deadline: found.append(True) or find(deadline)
    return found


def name_of(key):
    return f"oauth_mw:t:{key.hex()}"


def elsewhere(cluster):
    """Keys of tokens that lie on one primary, which has not the log."""
    home = cluster.primary_of(STORE)
    node = next(node for node in cluster.nodes if node is not home and ask(node, "ROLE")[0] == b"master")
    return node, [key for key in map(key_of, range(60)) if cluster.primary_of(name_of(key)) is node]


def test_where_tokens_find_no_room_none_is_issued_and_all_else_goes_on(store, cluster):
    node, (there, new, *_) = elsewhere(cluster)
    token = token_of(store.find_client("tester"))
    store.add_token(there, token)
    ask(node, "CONFIG", "SET", "maxmemory", 1)

    said = outcome(lambda: store.add_token(new, token))[0]
    others = [is_dead(store, there), store.find_token(new), store.revoke_token(there), is_dead(store, there)]
    ask(node, "CONFIG", "SET", "maxmemory", 0)
    store.add_token(new, token)

    assert (said, others) == ("Redis is full (maxmemory)", [False, None, True, True])
    assert not is_dead(store, new)


@pytest.mark.parametrize("replaced", [False, True], ids=["for a moment", "until it is replaced"])
def test_while_the_node_of_the_log_stands_still_all_is_refused_in_time(store, cluster, replaced):
    page, key = log_of(store), issued(store)
    node = cluster.primary_of(STORE)
    calls = [
        lambda: store.find_client("tester"),
        lambda: store.revoke_token(key),
        lambda: store.find_token(key),
        lambda: store.read_log(page.store_id, page.position),
    ]
    node.pause()
    found = [outcome(lambda: store.read_log(page.store_id, page.position))]
    if replaced:
        wait_until(lambda: cluster.primary_of(STORE) not in (node, None), "another primary")
        node.resume()  # and it learns that it is a replica
    else:
        node.resume()

    for call in calls:
        recovers(call)

    assert found[0][0] != "nothing" and found[0][1] < TIMEOUT + SLACK
    assert is_dead(store, key)


def test_a_primary_that_is_cut_off_from_most_of_the_others_is_not_believed(store, cluster):
    page, primary = log_of(store), cluster.primary_of("{oauth_mw}:log")
    others = [node for node in cluster.nodes if node is not primary]
    for node in others:
        node.pause()

    with client_of(primary) as client:
        client.config_set("cluster-allow-reads-when-down", "yes")  # the worst case, and not known to who is connected
        wait_until(lambda: b"cluster_state:fail" in client.execute_command("CLUSTER", "INFO"), "the primary to notice")
    looks, found = looks_of(store), []
    end = time.monotonic() + 1.2 * TIMEOUT
    while time.monotonic() < end:
        found.append(outcome(lambda: store.read_log(page.store_id, page.position)))
        time.sleep(0.01)

    assert "nothing" not in {said for said, _ in found}
    assert max(seconds for _, seconds in found) < TIMEOUT + SLACK
    assert 1 <= len(looks) <= 2 < len(found)
    ask(primary, "CONFIG", "SET", "cluster-allow-reads-when-down", "no")
    for node in others:
        node.resume()
    wait_until(lambda: outcome(lambda: store.read_log(page.store_id, page.position))[0] == "nothing", "recovery")
