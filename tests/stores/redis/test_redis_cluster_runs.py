"""A primary of a cluster starts anew or is replaced: it may have lost tokens that workers keep in their caches."""

from __future__ import annotations

import contextlib
import time

import pytest
from webtest import TestApp

from helpers.builders import key_of, log_of
from helpers.engines import wait_until
from helpers.engines_redis_cluster import Cluster, ask
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, basic, bearer, echo, issue
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.errors import StoreUnavailable
from oauth_mw.stores.redis.network import connections
from oauth_mw.tokens.opaque import storage_key

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_wheel("redis")), reason=why_no_wheel("redis"))]

LAG = 0.3
STORE = "{oauth_mw}:store"


@pytest.fixture(scope="module", params=[60_000, 1500], ids=["starts anew", "is replaced"])
def cluster(request):
    """One whose nodes are back before the others miss them, or one in which a replica takes over soon."""
    with Cluster(node_timeout=request.param) as cluster:
        cluster.replaces = request.param < 10_000
        yield cluster


@pytest.fixture
def store(cluster):
    with contextlib.closing(open_store(cluster.url, create=True)) as store:
        admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        yield store
    for primary in primaries_of(cluster):
        ask(primary, "FLUSHALL")


@pytest.fixture
def workers(cluster, store):
    made = [OAuthMiddleware(echo, store=cluster.url, revocation_lag_seconds=LAG) for _ in range(2)]
    return [TestApp(worker) for worker in made]


def primaries_of(cluster):
    wait_until(lambda: None not in {cluster.primary_of(name) for name in (STORE, "a", "b", "c")}, "the primaries")
    return [node for node in cluster.nodes if ask(node, "ROLE")[0] == b"master"]


def name_of(key):
    return f"oauth_mw:t:{key.hex()}"


def is_alone(cluster, key):
    """Whether the row of a token lies on another primary than the log."""
    return cluster.primary_of(name_of(key)) is not cluster.primary_of(STORE)


def lose(cluster, key):
    """End the primary that has the row of a token, and wait until all is well, without the row."""
    primary = cluster.primary_of(name_of(key))
    if cluster.replaces:
        ask(primary, "DEL", name_of(key))  # as if it had not come to the replica in time
    primary.kill()
    if cluster.replaces:
        wait_until(lambda: cluster.primary_of(name_of(key)) not in (primary, None), "another primary")
    primary.start()
    wait_until(cluster.is_well, "the cluster")


def complete(store, page):
    """Whether who saw that page may go on from it, once the store answers."""
    found = []

    def answers():
        with contextlib.suppress(StoreUnavailable):
            found.append(store.read_log(page.store_id, page.position))
        return found

    wait_until(answers, "the log")
    return found[0].complete


def test_who_follows_forgets_all_when_a_primary_without_the_log_was_lost(store, cluster):
    key = next(key for key in map(key_of, range(100)) if is_alone(cluster, key))
    page = log_of(store)
    before = complete(store, page)

    lose(cluster, key)

    assert (before, complete(store, page), complete(store, log_of(store))) == (True, False, True)


def test_a_token_whose_row_was_lost_is_not_accepted_once_its_revocation_was_answered(workers, cluster):
    one, other = workers
    token = next(token for token in iter(lambda: issue(one), "") if is_alone(cluster, storage_key(token)))
    for worker in workers:
        worker.get("/", headers=bearer(token), status=200)
    lose(cluster, storage_key(token))

    wait_until(lambda: revoked(one, token) == 200, "the revocation")
    time.sleep(LAG)

    # Where the store was not asked yet since the fail-over, that is an outage first.
    for worker in workers:
        assert worker.get("/", headers=bearer(token), status="*").status_int in (401, 503)
        wait_until(lambda worker=worker: status_of(worker, token) != 503, "an answer")
        assert status_of(worker, token) == 401
        assert status_of(worker, issue(worker)) == 200


def revoked(worker, token):
    headers = basic("tester", SECRET)
    return worker.post("/oauth/revoke", {"token": token}, headers=headers, status="*").status_int


def status_of(worker, token):
    return worker.get("/", headers=bearer(token), status="*").status_int


def test_a_look_at_the_log_is_a_round_trip_to_each_primary_and_one_for_the_log(store, monkeypatch):
    page = log_of(store)
    sent, trips = connections._send, []
    monkeypatch.setattr(connections, "_send", lambda *arguments: trips.append(True) or sent(*arguments))

    store.read_log(page.store_id, page.position)

    assert len(trips) == 4


def test_a_primary_that_cannot_be_asked_is_an_outage(store, cluster):
    node = next(node for node in primaries_of(cluster) if node is not cluster.primary_of(STORE))
    page = log_of(store)
    node.kill()

    with pytest.raises(StoreUnavailable):
        store.read_log(page.store_id, page.position)
    node.start()
    wait_until(cluster.is_well, "the cluster")
