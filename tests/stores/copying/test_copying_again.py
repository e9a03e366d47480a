"""A copy that is repeated: after it was complete, after it was cut off, and while its source is in use."""

from __future__ import annotations

import pytest

from helpers.builders import issued, key_of, registered
from helpers.changes import end_client
from helpers.copying import accepted, changed, contents, each_kind, each_pair, each_target, filled, new_places, states
from oauth_mw import admin, open_store
from oauth_mw.errors import StoreUnavailable

pytestmark = pytest.mark.slow

STEPS = ("become_copy", "take_clients", "take_events", "take_signing_keys", "take_tokens")


class Cut(Exception):
    pass


class Interrupted:
    """The inside of a store that ends after some steps."""

    def __init__(self, whole, steps):
        self._loader = whole
        self._session = steps

    def __getattr__(self, name):
        if name in STEPS:
            self._session -= 1
            if self._session < 0:
                raise Cut
        return getattr(self._loader, name)


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
    monkeypatch.setattr("oauth_mw.stores.memory.copying.ROWS_PER_BATCH", 2)
    monkeypatch.setattr("oauth_mw.stores.memory.copying.CLIENTS_PER_PAGE", 2)


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
            whole = target.copyable()
            patched.setattr(target, "copyable", lambda whole=whole, steps=steps: Interrupted(whole, steps))
            try:
                copy(source, target, clock)
                break
            except Cut:
                pass
        assert accepted(target, keys) <= good
        here = {client.client_id for client in target.clients() if client.enabled}
        assert here <= enabled
        # Whoever serves from it issues tokens that live.
        own = [issued(target, client_id, 9000 + number) for number, client_id in enumerate(sorted(here))]
        assert accepted(target, own) == set(own)
        copy(source, target, clock)
        found = contents(target)
        found["tokens"] = {key: token for key, token in found["tokens"].items() if key not in own}
        assert found == contents(source)
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


@pytest.fixture
def late(stores, clock, monkeypatch):
    """Copy, do something to the source before its tokens are read, then be cut off after these tokens."""
    whole = stores[0].copyable()

    def copy_with(work):
        def read_token_keys(now):
            yield [work(stores[0])]
            raise Cut

        whole.read_token_keys = read_token_keys
        monkeypatch.setattr(stores[0], "copyable", lambda: whole)
        with pytest.raises(Cut):
            copy(*stores, clock)

    return copy_with


@each_target
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


@each_target
def test_a_token_that_was_issued_after_another_end_comes_with_the_log_until_then(stores, late):
    source, target = stores
    filled(source)

    def end(source):
        end_client(source, "a")
        return issued(source, "b", 2000)

    late(end)

    assert target.copyable().log_state().position == source.copyable().log_state().position


@each_target
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


@each_target
def test_an_event_in_the_log_has_its_effect_at_once(stores, clock, monkeypatch):
    source, target = stores
    keys = filled(source)
    copy(*stores, clock)
    changed(source, keys)
    whole = target.copyable()
    monkeypatch.setattr(target, "copyable", lambda: Interrupted(whole, 3))  # becomes a copy, drops keys, takes events

    with pytest.raises(Cut):
        copy(*stores, clock)

    assert target.copyable().log_state().position == source.copyable().log_state().position
    assert accepted(target, keys) == accepted(source, keys)


@each_kind
def test_ends_before_and_after_a_move_are_told_apart(stores, clock):
    source, target = stores
    source.add_client(registered())
    before = issued(source, number=1)
    copy(*stores, clock)
    clock.move(-3600)

    end_client(target, "tester")
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

    whole = target.copyable()
    whole.take_events = fail
    monkeypatch.setattr(target, "copyable", lambda: whole)
    source.add_client(registered())
    end_client(source, "tester")

    with pytest.raises(StoreUnavailable, match="^there://: full$"):
        copy(source, target, clock)


@pytest.mark.parametrize("kinds", [("memory", "sqlite")], ids=["sqlite"])
def test_what_is_missing_is_found_however_much_lies_between(stores, clock):
    source, target = stores
    source.add_client(registered())
    keys = [issued(source, number=number) for number in range(4100)]
    copy(*stores, clock)
    unknown = key_of(5000)

    assert target.copyable().missing([min(keys), unknown, max(keys)]) == [unknown]
