"""Signing keys, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import NOW, log_of
from oauth_mw.model import KeyRecord


@pytest.fixture
def keys(store):
    return store.key_store()


def record(kid="one", signs_from=NOW, **changes):
    return KeyRecord(kid, "ES256", '{"kty": "EC"}', "-----BEGIN\n/+=é", NOW, signs_from)._replace(**changes)


@pytest.fixture
def two(keys):
    """Added in this order; the second signs later."""
    found = [record(), record("two", NOW + 60)]
    keys.add_signing_key(found[0], "")
    keys.add_signing_key(found[1], "one")
    return found


def test_there_is_none_at_first(keys):
    assert list(keys.signing_keys()) == []


def test_they_come_back_as_they_were_in_the_order_in_which_they_sign(keys, two):
    assert list(keys.signing_keys()) == two


@pytest.mark.parametrize("latest", ["", "other", "one"])
def test_another_than_the_latest_was_seen_and_none_is_added(keys, two, latest):
    assert not keys.add_signing_key(record("three", NOW + 120), latest)

    assert list(keys.signing_keys()) == two


def test_of_many_that_race_one_succeeds(keys):
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda number: keys.add_signing_key(record(f"k{number}"), ""), range(8)))

    assert sum(added) == len(keys.signing_keys()) == 1


@pytest.mark.parametrize(("asked", "kept"), [([5], 5), ([5, 3], 5), ([NOW, NOW + 10**6], NOW + 10**6)])
def test_a_key_is_kept_until_the_last_that_was_asked_for(keys, two, asked, kept):
    assert all(keys.need_signing_key("one", until) for until in asked)

    assert list(keys.signing_keys()) == [two[0]._replace(needed_until=kept), two[1]]


def test_a_key_that_is_gone_cannot_be_needed(keys, two):
    assert not keys.need_signing_key("three", NOW)


def test_a_key_that_is_removed_is_gone(keys, two):
    assert [keys.remove_signing_key("two") for _ in range(2)] == [True, False]

    assert list(keys.signing_keys()) == two[:1]
    assert keys.add_signing_key(two[1], "one")


@pytest.mark.parametrize("seen", [9, 10])
def test_a_key_goes_when_nobody_needs_it_longer_than_was_seen(keys, two, seen):
    keys.need_signing_key("one", 10)

    assert [keys.drop_signing_key("one", seen) for _ in range(2)] == [seen == 10, False]
    assert [each.kid for each in keys.signing_keys()] == ["one", "two"][seen == 10 :]


def test_a_removal_is_an_event_for_all(store, keys, two):
    before = log_of(store)

    keys.remove_signing_key("one")

    page = store.read_log(before.store_id, before.position)
    assert [event[1:3] for event in page.events] == [("", None)]


def test_what_ends_nothing_is_no_event(store, keys, two):
    before = log_of(store)

    keys.need_signing_key("one", NOW)
    keys.remove_signing_key("three")
    keys.add_signing_key(record("three", NOW + 120), "two")
    keys.drop_signing_key("one", NOW)

    assert store.read_log(before.store_id, before.position).events == []
