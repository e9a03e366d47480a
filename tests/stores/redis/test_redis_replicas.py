"""Answers that wait until replicas have the change, with a real primary and a real replica."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest

from helpers.builders import given_secret, is_dead, issued, key_of, registered, token_of
from helpers.changes import end_client, remove_secret
from helpers.engines import Redis, wait_until
from helpers.redis_raw import Raw
from oauth_mw import open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.errors import StoreUnavailable

pytestmark = pytest.mark.slow

TIMEOUT = 0.4


@pytest.fixture(scope="module")
def primary():
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def replica(primary):
    with Redis(replicaof=f"127.0.0.1 {primary.port}") as server, contextlib.closing(Raw(server.url)) as raw:
        wait_until(lambda: raw.client.info("replication")["master_link_status"] == "up", "the replica")
        yield server


@pytest.fixture
def store(primary, replica):
    with contextlib.closing(open_store(primary.url + "?replicas=1", create=True, timeout=TIMEOUT)) as store:
        store.add_client(registered())
        yield store
        replica.resume()
    with contextlib.closing(Raw(primary.url)) as raw:
        raw.client.flushall()


@pytest.fixture
def paused(replica):
    replica.pause()
    yield replica
    replica.resume()


@pytest.fixture
def raw(primary):
    with contextlib.closing(Raw(primary.url)) as raw:
        yield raw


CHANGES = {
    "add_client": lambda store: store.add_client(registered("other")),
    "update_client": lambda store: store.update_client("tester", lambda client: replace(client, name="x")),
    "end_client": lambda store: end_client(store, "tester"),
    "delete": lambda store: end_client(store, "tester", delete=True),
    "add_secret": lambda store: given_secret(store, "tester", hash_secret("t" * 16, label="second")),
    "remove_secret": lambda store: remove_secret(store, "tester", store.find_client("tester").secrets[0].secret_id),
    "revoke_token": lambda store: store.revoke_token(key_of()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_on_the_replica_when_it_is_answered(store, replica, change):
    issued(store)

    assert change(store)

    with contextlib.closing(Raw(replica.url)) as there, contextlib.closing(Raw(store.url)) as here:
        assert there.contents() == here.contents()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_no_replica_has_is_refused_in_time(store, request, change):
    issued(store)
    request.getfixturevalue("paused")
    began = time.monotonic()

    with pytest.raises(StoreUnavailable, match="too few replicas"):
        change(store)

    assert time.monotonic() - began < TIMEOUT + 0.2


NOTHING_TO_DO = {
    "revoke a token that is revoked": ("revoke_token", lambda store: store.revoke_token(key_of())),
    "add a client that is there": ("add_client", lambda store: store.add_client(registered("other"))),
    "delete a client that is deleted": ("delete", lambda store: end_client(store, "tester", delete=True)),
    "update a client that is deleted": ("delete", lambda store: store.update_client("tester", lambda client: client)),
    "remove a secret that is removed": ("delete", lambda store: remove_secret(store, "tester", "0")),
}


@pytest.mark.parametrize("first, again", NOTHING_TO_DO.values(), ids=NOTHING_TO_DO)
def test_another_worker_says_that_there_is_nothing_to_do_only_when_the_replica_has_it(store, paused, first, again):
    store.add_token(key_of(), token_of(store.find_client("tester")))
    with pytest.raises(StoreUnavailable):
        CHANGES[first](store)
    store.close()  # what comes now comes over a connection that wrote nothing yet

    with pytest.raises(StoreUnavailable, match="too few replicas"):
        again(store)
    paused.resume()

    assert not again(store)


def test_while_no_replica_answers_issues_and_checks_go_on(store, paused):
    with pytest.raises(StoreUnavailable):
        end_client(store, "tester")

    key = issued(store)

    assert not is_dead(store, key)


def test_a_change_waits_for_as_many_replicas_as_the_url_says(primary, replica):
    url = primary.url + "?replicas=2&prefix=two"
    with contextlib.closing(open_store(url, create=True, timeout=TIMEOUT)) as store:
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            store.add_client(registered())


@pytest.mark.parametrize("asked, warned", [(0, False), (1, False), (2, True)])
def test_more_replicas_in_the_url_than_there_are_is_a_warning(store, primary, asked, warned):
    with contextlib.closing(open_store(f"{primary.url}?replicas={asked}")) as other:
        said = [each for each in other.warnings() if "client changes answer 503" in each]

    assert len(said) == warned


def test_a_missing_store_is_not_half_made_by_waiting_for_replicas(store, raw):
    raw.client.flushall()

    with pytest.raises(StoreUnavailable):
        end_client(store, "tester")

    assert raw.keys() == set()


@pytest.mark.parametrize("create", [False, True])
def test_a_replica_that_is_named_itself_is_refused(store, replica, create):
    with pytest.raises(StoreUnavailable, match="is a replica"):
        open_store(replica.url, create=create)
