"""A Redis that is full: nothing is half done, and what can be read is read."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import MappingProxyType

import pytest

from helpers.builders import given_secret, is_dead, issued, key_of, registered, token_of
from helpers.changes import end_client, remove_secret
from helpers.engines import Redis
from helpers.redis_raw import Raw
from oauth_mw import open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.errors import StoreUnavailable

FULL = "Redis is full"


@pytest.fixture(scope="module")
def server():
    with Redis() as server:
        yield server


@pytest.fixture
def raw(server):
    with contextlib.closing(Raw(server.url)) as raw:
        yield raw
        raw.client.config_set("maxmemory", 0)
        raw.client.flushall()


@pytest.fixture
def store(server, raw):
    with contextlib.closing(open_store(server.url, create=True)) as store:
        store.add_client(registered())
        yield store


CHANGES = {
    "add_client": lambda store: store.add_client(registered("other")),
    "update_client": lambda store: store.update_client("tester", lambda client: replace(client, name="x")),
    "end_client": lambda store: end_client(store, "tester"),
    "disable": lambda store: end_client(store, "tester", disable=True),
    "delete": lambda store: end_client(store, "tester", delete=True),
    "add_secret": lambda store: given_secret(store, "tester", hash_secret("t" * 16)),
    "remove_secret": lambda store: remove_secret(
        store, "tester", store.find_client("tester").secrets[0].secret_id, and_tokens=True
    ),
    "add_token": lambda store: store.add_token(key_of(1), token_of(store.find_client("tester"))),
    "revoke_token": lambda store: store.revoke_token(key_of()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_refused_and_nothing_of_it_done(store, raw, change):
    key = issued(store)
    before = raw.contents()
    raw.client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable, match=FULL):
        change(store)

    assert raw.contents() == before
    assert not is_dead(store, key)


def test_a_server_that_filled_up_goes_on_once_there_is_room(store, raw):
    raw.client.config_set("maxmemory", raw.client.info("memory")["used_memory"] + 200_000)
    token = token_of(store.find_client("tester"), attributes=MappingProxyType({"big": "x" * 1000}))

    with pytest.raises(StoreUnavailable, match=FULL):
        for number in range(1000):
            store.add_token(key_of(number), token)
    found = [number for number in range(1000) if store.find_token(key_of(number))]
    raw.client.config_set("maxmemory", 0)

    assert found == list(range(len(found))) and 50 < len(found) < 500
    assert store.revoke_token(key_of(0)) and is_dead(store, key_of(0))


def test_a_store_is_not_half_made(server, raw):
    raw.client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable, match=FULL):
        open_store(server.url, create=True)

    assert raw.keys() == set()
