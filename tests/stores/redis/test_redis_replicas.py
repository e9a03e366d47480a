"""Changes are acknowledged once replicas have them: a real primary and a real replica."""

from __future__ import annotations

from contextlib import closing

import pytest
from redis_calls import CHANGES

from helpers.builders import is_dead, issued, key_of, opened, registered, token_of
from helpers.changes import end_client, remove_secret
from helpers.engines import Redis, wait_until
from helpers.redis_raw import Raw
from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable

pytestmark = pytest.mark.slow

TIMEOUT = 0.4


@pytest.fixture(scope="module")
def replica(own_server):
    with Redis(replicaof=f"127.0.0.1 {own_server.port}") as server, closing(Raw(server.url)) as raw:
        wait_until(lambda: raw.client.info("replication")["master_link_status"] == "up", "the replica")
        yield server


@pytest.fixture
def store(own_server, replica, own):
    with opened(own_server.url + "?replicas=1", timeout=TIMEOUT) as store:
        yield store
        replica.resume()


@pytest.fixture
def paused(store, replica):
    """The replica, paused once there are a client and a token."""
    issued(store)
    replica.pause()
    return replica


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_on_the_replica_when_it_is_answered(store, replica, own, change):
    issued(store)

    assert change(store)

    with closing(Raw(replica.url)) as there:
        assert there.contents() == own.contents()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_no_replica_has_is_refused(store, paused, change):
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        change(store)


NOTHING_TO_DO = {
    "revoke a token that is revoked": ("revoke_token", lambda store: store.revoke_token(key_of())),
    "add a client that is there": ("add_client", lambda store: store.add_client(registered("other"))),
    "delete a client that is deleted": ("delete", lambda store: end_client(store, "tester", delete=True)),
    "update a client that is deleted": ("delete", lambda store: store.update_client("tester", lambda client: client)),
    "remove a secret that is removed": ("update_client", lambda store: remove_secret(store, "tester", "0")),
}


@pytest.mark.parametrize("first, again", NOTHING_TO_DO.values(), ids=NOTHING_TO_DO)
def test_another_worker_reports_nothing_to_do_only_when_the_replica_has_it(store, paused, first, again):
    with pytest.raises(StoreUnavailable):
        CHANGES[first](store)
    store.close()  # the next call has a connection that has written nothing

    with pytest.raises(StoreUnavailable, match="too few replicas"):
        again(store)
    paused.resume()

    assert not again(store)


def test_while_no_replica_answers_issues_and_checks_work(store, paused):
    with pytest.raises(StoreUnavailable):
        end_client(store, "tester")

    store.add_token(key_of(1), token_of(store.find_client("tester")))

    assert not is_dead(store, key_of(1))


@pytest.mark.parametrize("asked, warned", [(0, False), (1, False), (2, True)])
def test_more_replicas_in_the_url_than_there_are_is_a_warning(store, own_server, asked, warned):
    with closing(open_store(f"{own_server.url}?replicas={asked}")) as other:
        said = [each for each in other.warnings() if "client changes answer 503" in each]

    assert len(said) == warned


def test_a_change_waits_for_as_many_replicas_as_the_url_names(store, own_server):
    with closing(open_store(own_server.url + "?replicas=2", timeout=TIMEOUT)) as two:
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            end_client(two, "tester")


def test_a_missing_store_is_not_created_in_part_by_waiting_for_replicas(store, own):
    own.client.flushall()

    with pytest.raises(StoreUnavailable):
        end_client(store, "tester")

    assert own.keys() == set()


@pytest.mark.parametrize("create", [False, True])
def test_a_replica_that_the_url_names_is_refused(store, replica, create):
    with pytest.raises(StoreUnavailable, match="is a replica"):
        open_store(replica.url, create=create)
