"""A cluster whose nodes are full, paused, cut off, restarted or replaced: refusals in time, and recovery."""

from __future__ import annotations

import time

import pytest
from redis_calls import CALLS, outcome, reason
from webtest import TestApp

from helpers.builders import is_dead, issued, key_of, log_of, token_of
from helpers.engines import wait_until
from helpers.engines_redis_cluster import ask, client_of
from helpers.support import SECRET, checked, echo, issue, revoked
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.tokens.opaque import storage_key

pytestmark = pytest.mark.slow

TIMEOUT = 1.5
SLACK = 2.0  # for a machine that is busy
LAG = 0.3
STORE = "{oauth_mw}:store"


@pytest.fixture
def store(cluster_store):
    return cluster_store


def name_of(key):
    return f"oauth_mw:t:{key.hex()}"


def primaries_of(cluster):
    return [node for node in cluster.nodes if ask(node, "ROLE")[0] == b"master"]


def other_primary(cluster):
    """A primary that does not have the log."""
    return next(node for node in primaries_of(cluster) if node is not cluster.primary_of(STORE))


def test_a_full_node_takes_no_new_tokens_and_serves_those_that_it_has(store, cluster):
    node, token = other_primary(cluster), token_of(store.find_client("tester"))
    there, new, *_ = (key for key in map(key_of, range(60)) if cluster.primary_of(name_of(key)) is node)
    store.add_token(there, token)
    ask(node, "CONFIG", "SET", "maxmemory", 1)

    said = reason(lambda: store.add_token(new, token))
    others = [is_dead(store, there), store.find_token(new), store.revoke_token(there), is_dead(store, there)]
    ask(node, "CONFIG", "SET", "maxmemory", 0)
    store.add_token(new, token)

    assert (said, others) == ("Redis is full (maxmemory)", [False, None, True, True])
    assert not is_dead(store, new)


@pytest.mark.parametrize("replaced", [False, True], ids=["for a moment", "until it is replaced"])
def test_while_the_node_of_the_log_stands_still_all_is_refused_in_time(store, cluster, replaced):
    key, node = issued(store), cluster.primary_of(STORE)
    node.pause()

    said, seconds = outcome(lambda: store.read_log("", -1))
    if replaced:
        wait_until(lambda: cluster.primary_of(STORE) not in (node, None), "another primary")
    node.resume()

    assert said and seconds < TIMEOUT + SLACK
    for name in ("find_client", "revoke_token", "find_token", "read_log"):
        wait_until(lambda name=name: not reason(lambda: CALLS[name](store)), name)
    assert is_dead(store, key)


def test_a_primary_that_is_cut_off_from_most_of_the_others_is_not_believed(store, cluster):
    log_of(store)
    primary = cluster.primary_of(STORE)
    others = [node for node in cluster.nodes if node is not primary]
    for node in others:
        node.pause()
    with client_of(primary) as client:
        client.config_set("cluster-allow-reads-when-down", "yes")  # the worst case: connections were checked before
        wait_until(lambda: b"cluster_state:fail" in client.execute_command("CLUSTER", "INFO"), "the primary to notice")

    found = [outcome(lambda: store.read_log("", -1)) for _ in range(3)]
    ask(primary, "CONFIG", "SET", "cluster-allow-reads-when-down", "no")

    assert all(said and seconds < TIMEOUT + SLACK for said, seconds in found)
    for node in others:
        node.resume()
    wait_until(lambda: not reason(lambda: store.read_log("", -1)), "recovery")


def test_a_primary_without_the_log_that_is_down_is_an_outage(store, cluster):
    node = other_primary(cluster)
    log_of(store)
    node.kill()

    said = reason(lambda: store.read_log("", -1))
    node.start()

    assert said


# A primary has lost tokens that workers have cached


@pytest.fixture(params=[False, True], ids=["restarts", "is replaced"])
def lose(request, cluster):
    """Kill the primary that has a token's row, and wait until the cluster is well without the row."""
    ask_all(cluster, "CONFIG", "SET", "cluster-node-timeout", 1500 if request.param else 60_000)

    def lose(key):
        primary = cluster.primary_of(name_of(key))
        if request.param:
            ask(primary, "DEL", name_of(key))  # as if the replica had not received it in time
        primary.kill()
        if request.param:
            wait_until(lambda: cluster.primary_of(name_of(key)) not in (primary, None), "another primary")
        primary.start()
        wait_until(cluster.is_well, "the cluster")

    yield lose
    ask_all(cluster, "CONFIG", "SET", "cluster-node-timeout", 1500)


def ask_all(cluster, *command):
    for node in cluster.nodes:
        ask(node, *command)


@pytest.fixture
def workers(cluster, store):
    admin.add_client(store, "worker", client_id="worker", secret=SECRET)
    made = [OAuthMiddleware(echo, store=cluster.url, revocation_lag_seconds=LAG) for _ in range(2)]
    return [TestApp(worker) for worker in made]


def test_a_token_whose_row_was_lost_is_not_accepted_once_its_revocation_was_answered(workers, cluster, lose):
    worker, other = workers
    tokens = iter(lambda: issue(worker, "worker"), "")
    token = next(each for each in tokens if cluster.primary_of(name_of(storage_key(each))) is other_primary(cluster))
    assert [checked(each, token) for each in workers] == [200, 200]
    lose(storage_key(token))

    wait_until(lambda: revoked(worker, token, "worker") == 200, "the revocation")
    late = time.monotonic() + LAG

    for each in workers:
        assert 200 not in answers_until_refused(each, token, late)
        assert checked(each, issue(each, "worker")) == 200


def answers_until_refused(worker, token, since):
    """The statuses of the requests that began after ``since``: 503 until the worker has read the store again."""
    answers = []
    wait_until(lambda: answers.append((time.monotonic(), checked(worker, token))) or answers[-1][1] == 401, "401")
    return [status for began, status in answers if began > since]
