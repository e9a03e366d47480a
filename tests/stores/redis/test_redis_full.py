"""A Redis whose memory is full: each change is refused as a whole, and reading works."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from redis_calls import CALLS, CHANGES

from helpers.builders import is_dead, issued, key_of, opened, token_of
from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable

FULL = "Redis is full"


@pytest.fixture
def store(own_server, own):
    with opened(own_server.url) as store:
        yield store


@pytest.mark.parametrize("name", [*CHANGES, "add_token"])
def test_a_change_is_refused_as_a_whole(store, own, name):
    key = issued(store)
    before = own.contents()
    own.client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable, match=FULL):
        CALLS[name](store)

    assert own.contents() == before
    assert not is_dead(store, key)


def test_a_server_that_filled_up_works_once_there_is_room(store, own):
    own.client.config_set("maxmemory", own.client.info("memory")["used_memory"] + 200_000)
    token = token_of(store.find_client("tester"), attributes=MappingProxyType({"big": "x" * 1000}))

    with pytest.raises(StoreUnavailable, match=FULL):
        for number in range(1000):
            store.add_token(key_of(number), token)
    found = [number for number in range(number + 1) if store.find_token(key_of(number))]
    own.client.config_set("maxmemory", 0)

    assert found == list(range(number)) and 50 < number < 500
    assert store.revoke_token(key_of(0)) and is_dead(store, key_of(0))


def test_a_store_is_not_created_in_part(own_server, own):
    own.client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable, match=FULL):
        open_store(own_server.url, create=True)

    assert own.keys() == set()
