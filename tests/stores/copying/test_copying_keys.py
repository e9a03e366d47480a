"""Signing keys of a copy that is repeated."""

from __future__ import annotations

import pytest

from helpers.builders import NOW
from helpers.changes import add_key, remove_key
from helpers.copying import Through, contents, filled, mostly_long
from oauth_mw import admin
from oauth_mw.keys.schedule import with_need
from oauth_mw.model import KeyRecord


def add(store, kid, signs_from=NOW):
    known = [record.kid for record in store.read_keys().keys]
    record = KeyRecord(kid, "ES256", "{}", "-----BEGIN", NOW, signs_from)
    assert add_key(store, record, known[-1] if known else "")


@mostly_long
def test_a_repeated_copy_brings_all_changes_of_keys(stores, clock):
    source, target = stores
    filled(source)
    for number, kid in enumerate(("one", "two")):
        add(source, kid, NOW + number)
    first = admin.copy_store(*stores, clock=clock)
    again = admin.copy_store(*stores, clock=clock)

    source.update_keys(lambda keys: with_need(keys, "two", NOW + 99))
    remove_key(source, "one")
    add(source, "three", NOW + 3)
    last = admin.copy_store(*stores, clock=clock)

    assert target.read_keys() == source.read_keys()
    assert [copied.keys for copied in (first, again, last)] == [(2, 0), (0, 2), (1, 1)]
    assert not again.changed
    assert contents(target) == contents(source)


@pytest.fixture
def order(stores):
    """The target, and what it had after each step: its keys, and the last position of its log."""
    found = []

    def replace(name, method):
        if name not in ("put_keys", "put_events"):
            return method
        return lambda *given: (method(*given), found.append(state()))[0]

    def state():
        return stores[1].read_keys().keys, stores[1].copyable().log_state().position

    return Through(stores[1], replace), found


def test_a_key_is_copied_after_all_events_about_its_tokens(stores, clock, order):
    source, _ = stores
    target, found = order
    filled(source)
    add(source, "one")

    admin.copy_store(source, target, clock=clock)

    end = source.copyable().log_state().position
    assert {position for keys, position in found if keys} == {end}


def test_a_key_is_removed_before_followers_learn_of_it(stores, clock, order):
    source, _ = stores
    target, found = order
    add(source, "one")
    admin.copy_store(source, target, clock=clock)
    remove_key(source, "one")

    admin.copy_store(source, target, clock=clock)

    end = source.copyable().log_state().position
    at_the_end = [keys for keys, position in found if position == end]
    assert at_the_end and not any(at_the_end)
