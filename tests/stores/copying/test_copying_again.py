"""A copy that is repeated: after it was complete, after it was cut off, and while its source is in use."""

from __future__ import annotations

import pytest

from helpers.builders import issued, key_of, registered
from helpers.changes import end_client
from helpers.copying import InPairs, Through, accepted, changed, contents, each_pair, filled, states
from oauth_mw import admin, open_store
from oauth_mw.errors import StoreUnavailable

pytestmark = pytest.mark.slow

STEPS = ("become_copy", "put_clients", "put_events", "put_keys", "put_tokens")


class Cut(Exception):
    pass


class Interrupted:
    """The inside of a store that ends after some steps."""

    def __init__(self, whole, steps):
        self._whole = whole
        self._steps = steps

    def __getattr__(self, name):
        if name in STEPS:
            self._steps -= 1
            if self._steps < 0:
                raise Cut
        return getattr(self._whole, name)


def copy(source, target, clock, **more):
    return admin.copy_store(source, target, clock=clock, **more)


@each_pair
def test_when_all_is_there_nothing_changes(stores, clock):
    filled(stores[0])
    copy(*stores, clock)
    before = contents(stores[1])

    again = copy(*stores, clock)

    assert not again.changed
    assert (again.clients.present, again.secrets.present, again.deleted.present) == (3, 3, 1)
    assert (again.tokens.present, again.events.present) == (10, 3)
    assert contents(stores[1]) == before


@each_pair
def test_what_changed_meanwhile_arrives(stores, clock):
    source, target = stores
    keys = filled(source)
    copy(*stores, clock)

    keys = changed(source, keys)
    copied = copy(*stores, clock)

    assert contents(target) == contents(source)
    assert states(target, keys) == states(source, keys)
    assert copied.tokens == (3, 10) and copied.events == (2, 3) and copied.clients == (4, 0)


@each_pair
def test_a_copy_that_is_cut_off_anywhere_accepts_nothing_more_and_can_be_completed(kinds, stores, place, clock):
    source = Through(stores[0], InPairs)
    keys = changed(source, filled(source))
    good = accepted(source, keys)
    enabled = {client.client_id for client in source.clients() if client.enabled}

    for steps in range(100):
        target = open_store(place(kinds[1]), create=True, clock=clock)
        try:
            copy(source, Through(target, lambda whole, steps=steps: Interrupted(whole, steps)), clock)
            break
        except Cut:
            pass
        assert accepted(target, keys) <= good
        here = {client.client_id for client in target.clients() if client.enabled}
        assert here <= enabled
        # A worker that serves from it issues tokens that live.
        own = [issued(target, client_id, 9000 + number) for number, client_id in enumerate(sorted(here))]
        assert accepted(target, own) == set(own)
        copy(source, target, clock)
        found = contents(target)
        found["tokens"] = {key: token for key, token in found["tokens"].items() if key not in own}
        assert found == contents(source)
        target.close()

    target.close()
    assert steps > 12


@each_pair
def test_what_was_copied_is_not_copied_again(stores, clock):
    source, target = Through(stores[0], InPairs), stores[1]
    filled(source)
    passed = []

    def stop(count):
        passed.append(count)
        if len(passed) == 2:
            raise Cut

    with pytest.raises(Cut):
        copy(source, target, clock, progress=stop)

    # On a Redis Cluster, a page may hold one.
    assert copy(source, target, clock).tokens == (10 - sum(passed), sum(passed))


@each_pair
def test_a_source_in_use_is_copied_as_it_is_at_the_end(stores, clock):
    source, target = Through(stores[0], InPairs), stores[1]
    keys = filled(source)
    used = []

    def use(count):
        if not used:
            used.extend(changed(source, keys))

    copy(source, target, clock, progress=use)

    assert accepted(target, used) <= accepted(source, used)
    here, there = contents(target), contents(source)
    assert (here["clients"], here["events"]) == (there["clients"], there["events"])
    assert accepted(target, keys) == accepted(source, keys)


@pytest.fixture
def late(stores, clock):
    """Copy, do something to the source before its tokens are read, then be cut off after these tokens."""
    source, target = stores

    def copy_with(work):
        def wrap(whole):
            whole.read_token_keys = read_token_keys
            return whole

        def read_token_keys(now):
            yield [work(source)]
            raise Cut

        with pytest.raises(Cut):
            copy(Through(source, wrap), target, clock)

    return copy_with


def test_a_token_of_a_client_that_came_meanwhile_comes_with_its_client(stores, late):
    source, target = stores
    filled(source)
    new = []

    def register(source):
        source.add_client(registered("new"))
        new.append(issued(source, "new", 2000))
        return new[0]

    late(register)

    assert accepted(target, new) == set(new)


def test_a_token_that_was_issued_after_a_revocation_comes_with_the_log_until_then(stores, late):
    source, target = stores
    filled(source)

    def end(source):
        end_client(source, "a")
        return issued(source, "b", 2000)

    late(end)

    assert target.copyable().log_state().position == source.copyable().log_state().position


def test_a_token_that_was_revoked_with_its_client_meanwhile_comes_revoked(stores, late):
    source, target = stores
    filled(source)
    keys = []

    def end(source):
        keys.append(issued(source, "a", 2000))
        end_client(source, "a")
        return keys[0]

    late(end)

    assert accepted(target, keys) == set()


@each_pair
def test_an_event_in_the_log_has_its_effect_at_once(stores, clock):
    source, target = stores
    keys = filled(source)
    copy(*stores, clock)
    changed(source, keys)

    with pytest.raises(Cut):  # once it has become a copy, dropped keys and put events
        copy(source, Through(target, lambda whole: Interrupted(whole, 3)), clock)

    assert target.copyable().log_state().position == source.copyable().log_state().position
    assert accepted(target, keys) == accepted(source, keys)


@each_pair
def test_what_was_issued_before_and_after_a_copy_is_told_apart(stores, clock):
    source, target = stores
    source.add_client(registered())
    before = issued(source, number=1)
    copy(*stores, clock)
    clock.move(-3600)

    end_client(target, "tester")
    after = issued(target, number=2)

    assert accepted(target, [before, after]) == {after}


def test_an_outage_says_of_which_store(stores, clock):
    source, target = stores

    class Full:
        def __init__(self, whole):
            self._whole = whole

        def __getattr__(self, name):
            if name == "put_events":
                raise StoreUnavailable("full")
            return getattr(self._whole, name)

    with pytest.raises(StoreUnavailable, match=f"^{target.url}: full$"):
        copy(source, Through(target, Full), clock)


def test_what_is_missing_is_found_however_much_lies_between(stores, clock):
    source, target = stores
    source.add_client(registered())
    keys = [issued(source, number=number) for number in range(4100)]
    copy(*stores, clock)
    unknown = key_of(5000)

    assert target.copyable().missing([min(keys), unknown, max(keys)]) == [unknown]
