"""Signing keys, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import NOW, log_of
from helpers.changes import add_key
from oauth_mw.keys.schedule import with_need
from oauth_mw.model import KeyRecord, KeySet


def record(kid="one", signs_from=NOW, **changes):
    return KeyRecord(kid, "ES256", '{"kty": "EC"}', "-----BEGIN\n/+=é", NOW, signs_from)._replace(**changes)


FIRST, SECOND, THIRD = record(), record("two", NOW + 60), record("three", NOW + 120)


def put(store, *records, **how):
    """Make these, in any order, the keys of the store."""
    return store.update_keys(lambda keys: KeySet.of(records), **how).keys


@pytest.fixture
def two(store):
    assert store.read_keys() == KeySet()
    return put(store, SECOND, FIRST)


def test_keys_are_read_as_they_were_written_in_the_order_in_which_they_sign(store, two):
    assert two == store.read_keys().keys == (FIRST, SECOND)


def test_an_update_adds_removes_and_changes(store, two):
    longer = FIRST._replace(needed_until=NOW + 10**6)

    for after in ((FIRST, SECOND, THIRD), (SECOND, THIRD), (THIRD,), (), (longer, SECOND)):
        assert put(store, *after) == store.read_keys().keys == after


def test_an_update_sees_what_it_replaces(store, two):
    seen = []

    store.update_keys(lambda keys: seen.append(keys) or keys)

    assert seen == [store.read_keys()]


def test_an_update_that_fails_leaves_the_keys_as_they_were(store, two):
    with pytest.raises(ZeroDivisionError):
        store.update_keys(lambda keys: KeySet(keys.keys[: 1 // 0]), revoke_all=True)

    assert store.read_keys().keys == two


def test_of_many_callers_that_add_the_first_key_one_succeeds(store):
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda number: add_key(store, record(f"k{number}")), range(8)))

    assert sum(added) == len(store.read_keys().keys) == 1


def test_no_update_of_many_at_once_is_lost(store, two):
    def longer(number):
        return store.update_keys(lambda keys: with_need(keys, ("one", "two")[number % 2], NOW + number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(longer, range(16)))

    assert [each.needed_until for each in store.read_keys().keys] == [NOW + 14, NOW + 15]


@pytest.mark.parametrize("after", [(), (FIRST, SECOND)], ids=["none left", "none removed"])
def test_an_update_that_revokes_all_is_one_event_of_no_client(store, two, after):
    before = log_of(store)

    put(store, *after, revoke_all=True)

    page = store.read_log(before.store_id, before.position)
    assert [event[1:3] for event in page.events] == [("", None)]


def test_any_other_update_is_no_event(store, two):
    before = log_of(store)

    put(store, FIRST._replace(needed_until=NOW), THIRD)

    assert store.read_log(before.store_id, before.position).events == []
