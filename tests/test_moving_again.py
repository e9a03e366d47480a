"""A copy that is repeated: after it was complete, after it was cut off, and while its source is in use."""

from __future__ import annotations

import pytest
from moving import accepted, changed, contents, each_kind, each_pair, each_target, filled, new_places, states
from stored import issued, registered

from oauth_mw import admin, open_store
from oauth_mw.errors import StoreUnavailable

STEPS = ("become_copy", "take_clients", "take_events", "take_tokens")


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


@pytest.fixture
def place(request, tmp_path):
    with new_places(request, tmp_path) as place:
        yield place


@pytest.fixture
def stores(kinds, place, clock):
    source, target = (open_store(place(kind), create=True, clock=clock) for kind in kinds)
    yield source, target
    source.close()
    target.close()


@pytest.fixture
def small_steps(monkeypatch):
    """A source in memory gives two of a kind at a time."""
    monkeypatch.setattr("oauth_mw.stores.memory_moving.ROWS_AT_ONCE", 2)
    monkeypatch.setattr("oauth_mw.stores.memory_moving.CLIENTS_AT_ONCE", 2)


def copy(source, target, clock, **more):
    return admin.copy_store(source, target, clock=clock, **more)


@each_pair
def test_when_all_is_there_nothing_changes(stores, clock):
    filled(stores[0])
    copy(*stores, clock)
    before = contents(stores[1])

    again = copy(*stores, clock)

    assert not again.changed
    assert (again.clients.there, again.secrets.there, again.deleted.there) == (3, 3, 1)
    assert (again.tokens.there, again.events.there) == (10, 3)
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


@each_target
def test_a_copy_that_is_cut_off_anywhere_accepts_nothing_more_and_can_be_completed(
    kinds, place, clock, monkeypatch, small_steps
):
    source = open_store("memory://", clock=clock)
    keys = changed(source, filled(source))
    good = accepted(source, keys)
    enabled = {client.client_id for client in source.clients() if client.enabled}

    for steps in range(100):
        target = open_store(place(kinds[1]), create=True, clock=clock)
        with monkeypatch.context() as patched:
            whole = target.movable()
            patched.setattr(target, "movable", lambda whole=whole, steps=steps: Interrupted(whole, steps))
            try:
                copy(source, target, clock)
                break
            except Cut:
                pass
        assert accepted(target, keys) <= good
        assert {client.client_id for client in target.clients() if client.enabled} <= enabled
        copy(source, target, clock)
        assert contents(target) == contents(source)
        target.close()

    target.close()
    assert steps > 12


@each_target
def test_what_was_moved_is_not_moved_again(stores, clock, small_steps):
    source, target = stores
    filled(source)
    passed = []

    def stop(count):
        passed.append(count)
        if len(passed) == 2:
            raise Cut

    with pytest.raises(Cut):
        copy(*stores, clock, told=stop)

    assert copy(*stores, clock).tokens == (6, 4)


@each_target
def test_a_source_in_use_is_copied_as_it_is_at_the_end(stores, clock, small_steps):
    source, target = stores
    keys = filled(source)
    used = []

    def use(count):
        if not used:
            used.extend(changed(source, keys))

    copy(*stores, clock, told=use)

    assert accepted(target, used) <= accepted(source, used)
    assert contents(target)["clients"] == contents(source)["clients"]
    assert contents(target)["events"] == contents(source)["events"]
    assert accepted(target, keys) == accepted(source, keys)


@each_target
def test_a_token_of_a_client_that_came_meanwhile_comes_with_its_client(stores, clock, monkeypatch):
    source, target = stores
    filled(source)
    new, whole = [], source.movable()
    monkeypatch.setattr(source, "movable", lambda: whole)

    def read_keys(now):
        source.end_client("a")
        source.add_client(registered("new"))
        new.append(issued(source, "new", 2000))
        yield new

    whole.read_keys = read_keys
    copy(*stores, clock)

    assert accepted(target, new) == set(new)


@each_kind
def test_ends_before_and_after_a_move_are_told_apart(stores, clock):
    source, target = stores
    source.add_client(registered())
    before = issued(source, number=1)
    copy(*stores, clock)
    clock.move(-3600)

    target.end_client("tester")
    after = issued(target, number=2)

    assert accepted(target, [before, after]) == {after}


@each_kind
def test_tokens_that_the_copy_issued_itself_stay(stores, clock):
    source, target = stores
    filled(source)
    copy(*stores, clock)
    own, other = issued(target, "b", 5000), issued(source, "b", 5001)

    copy(*stores, clock)

    assert accepted(target, [own, other]) == {own, other}


def test_an_outage_says_of_which_store(clock, monkeypatch):
    source, target = (open_store("memory://", clock=clock) for _ in range(2))
    target.url = "there://"

    def fail(*arguments):
        raise StoreUnavailable("full")

    whole = target.movable()
    whole.take_events = fail
    monkeypatch.setattr(target, "movable", lambda: whole)
    source.add_client(registered())
    source.end_client("tester")

    with pytest.raises(StoreUnavailable, match="^there://: full$"):
        copy(source, target, clock)
