"""Signing keys of a copy that is repeated, cut off, or used."""

from __future__ import annotations

import pytest

from helpers.builders import NOW
from helpers.changes import add_key, remove_key
from helpers.copying import contents, each_kind, filled, new_places
from oauth_mw import AdminError, admin, open_store
from oauth_mw.keys.schedule import with_need
from oauth_mw.model import KeyRecord


@pytest.fixture
def stores(request, kinds, tmp_path, clock):
    with new_places(request, tmp_path) as place:
        source, target = (open_store(place(kind), create=True, clock=clock) for kind in kinds)
        filled(source)
        yield source, target
        source.close()
        target.close()


def add(store, kid, signs_from=NOW):
    known = [record.kid for record in store.read_keys().keys]
    record = KeyRecord(kid, "ES256", "{}", "-----BEGIN", NOW, signs_from)
    assert add_key(store, record, known[-1] if known else "")


def kids(store):
    return [record.kid for record in store.read_keys().keys]


@each_kind
def test_what_happened_to_keys_meanwhile_arrives(stores, clock):
    source, target = stores
    for number, kid in enumerate(("one", "two")):
        add(source, kid, NOW + number)
    first = admin.copy_store(*stores, clock=clock)
    again = admin.copy_store(*stores, clock=clock)

    source.update_keys(lambda keys: with_need(keys, "two", NOW + 99))
    remove_key(source, "one")
    add(source, "three", NOW + 3)
    last = admin.copy_store(*stores, clock=clock)

    assert list(target.read_keys().keys) == list(source.read_keys().keys)
    assert [copied.keys for copied in (first, again, last)] == [(2, 0), (0, 2), (1, 1)]
    assert not again.changed
    assert contents(target) == contents(source)


@each_kind
def test_what_a_copy_did_to_its_keys_stays(stores, clock):
    source, target = stores
    add(source, "theirs")
    admin.copy_store(*stores, clock=clock)
    add(target, "mine", NOW + 1)
    target.update_keys(lambda keys: with_need(keys, "theirs", NOW + 99))

    admin.copy_store(*stores, clock=clock)

    assert kids(target) == ["theirs", "mine"]
    assert target.read_keys().keys[0].needed_until == NOW + 99


@each_kind
def test_a_copy_that_removed_a_key_goes_its_own_way(stores, clock):
    source, target = stores
    add(source, "theirs")
    admin.copy_store(*stores, clock=clock)
    remove_key(target, "theirs")

    with pytest.raises(AdminError, match="tokens were ended"):
        admin.copy_store(*stores, clock=clock)


@pytest.fixture
def order(stores, monkeypatch):
    """What the target had after each step: its keys, and where its log stood."""
    _, target = stores
    whole, found = target.copyable(), []

    class Told:
        def __getattr__(self, name):
            method = getattr(whole, name)
            if name not in ("take_signing_keys", "take_events"):
                return method
            return lambda *given: (method(*given), found.append((kids(target), whole.log_state().position)))[0]

    monkeypatch.setattr(target, "copyable", Told)
    return found


@pytest.mark.parametrize("kinds", [("memory", "memory")], ids=["memory"])
def test_a_key_comes_after_all_that_ended_its_tokens(stores, clock, order):
    source, _ = stores
    add(source, "one")

    admin.copy_store(*stores, clock=clock)

    end = source.copyable().log_state().position
    assert {position for there, position in order if there} == {end}


@pytest.mark.parametrize("kinds", [("memory", "memory")], ids=["memory"])
def test_a_key_goes_before_followers_learn_of_it(stores, clock, order):
    source, target = stores
    add(source, "one")
    admin.copy_store(*stores, clock=clock)
    remove_key(source, "one")

    admin.copy_store(*stores, clock=clock)

    end = source.copyable().log_state().position
    at_the_end = [there for there, position in order if position == end]
    assert at_the_end and not any(at_the_end)
