"""A copy that is repeated: after it was complete, cut off or killed, and while its source is in use."""

from __future__ import annotations

import pytest

from helpers.builders import NOW, issued, key_of, registered
from helpers.changes import end_before, end_client
from helpers.copying import PAIRS, Through, accepted, changed, contents, filled, in_pairs, mostly_long, states
from helpers.processes import Processes
from oauth_mw import admin, open_store
from oauth_mw.errors import StoreUnavailable

pytestmark = pytest.mark.slow

STEPS = ("become_copy", "put_clients", "put_events", "put_keys", "put_tokens")


class Cut(Exception):
    pass


def cut_after(steps):
    """For ``Through``: a store that fails after so many steps."""
    left = [steps]

    def replace(name, method):
        if name in STEPS:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
        return method

    return replace


def copy(source, target, clock, **more):
    return admin.copy_store(source, target, clock=clock, **more)


@mostly_long
def test_a_second_copy_changes_nothing_and_a_third_brings_what_changed(stores, clock):
    source, target = stores
    keys = filled(source)
    copy(*stores, clock)
    before = contents(target)

    again = copy(*stores, clock)

    assert not again.changed
    assert (again.clients.present, again.secrets.present, again.deleted.present) == (3, 3, 1)
    assert (again.tokens.present, again.events.present) == (10, 3)
    assert contents(target) == before

    keys = changed(source, keys)
    copied = copy(*stores, clock)

    assert contents(target) == contents(source)
    assert states(target, keys) == states(source, keys)
    assert copied.tokens == (3, 10) and copied.events == (2, 3) and copied.clients == (4, 0)


@mostly_long
def test_a_copy_spares_the_tokens_that_its_source_spares(stores, clock):
    source, target = stores
    source.add_client(registered())
    keys = [issued(source, number=number, at=NOW - number) for number in range(3)]
    copy(*stores, clock)

    end_before(source, "tester", NOW - 1)
    copy(*stores, clock)

    assert accepted(source, keys) == accepted(target, keys) == {*keys[:2]}


@mostly_long
def test_a_copy_that_is_cut_off_anywhere_accepts_nothing_more_and_can_be_completed(kinds, stores, place, clock):
    source = Through(stores[0], in_pairs)
    keys = changed(source, filled(source))
    good = accepted(source, keys)
    enabled = {client.client_id for client in source.clients() if client.enabled}

    for steps in range(100):
        target = open_store(place(kinds[1]), create=True, clock=clock)
        try:
            copy(source, Through(target, cut_after(steps)), clock)
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


@mostly_long
def test_what_was_copied_is_not_copied_again(stores, clock):
    source, target = Through(stores[0], in_pairs), stores[1]
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


@mostly_long
def test_a_source_in_use_is_copied_as_it_is_at_the_end(stores, clock):
    source, target = Through(stores[0], in_pairs), stores[1]
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


def register_and_issue(store):
    store.add_client(registered("new"))
    return issued(store, "new", 2000)


def revoke_and_issue(store):
    end_client(store, "a")
    return issued(store, "b", 2000)


def issue_and_revoke(store):
    key = issued(store, "a", 2000)
    end_client(store, "a")
    return key


@pytest.mark.parametrize(
    ("work", "lives"), [(register_and_issue, True), (revoke_and_issue, True), (issue_and_revoke, False)]
)
def test_a_token_issued_meanwhile_is_copied_after_the_clients_and_events_of_its_issue(stores, clock, work, lives):
    source, target = stores
    filled(source)
    keys = []

    def read_token_keys(now):
        keys.append(work(source))
        yield keys
        raise Cut

    def replace(name, method):
        return read_token_keys if name == "read_token_keys" else method

    with pytest.raises(Cut):
        copy(Through(source, replace), target, clock)

    assert accepted(target, keys) == (set(keys) if lives else set())
    assert target.copyable().log_state().position == source.copyable().log_state().position


@mostly_long
def test_an_event_in_the_log_has_its_effect_at_once(stores, clock):
    source, target = stores
    keys = filled(source)
    copy(*stores, clock)
    changed(source, keys)

    with pytest.raises(Cut):  # once it has become a copy, dropped keys and put events, the last one by itself
        copy(source, Through(target, cut_after(4)), clock)

    assert target.copyable().log_state().position == source.copyable().log_state().position
    assert accepted(target, keys) == accepted(source, keys)


@mostly_long
def test_tokens_issued_before_and_after_a_copy_are_distinguished(stores, clock):
    source, target = stores
    source.add_client(registered())
    before = issued(source, number=1)
    copy(*stores, clock)
    clock.move(-3600)

    end_client(target, "tester")
    after = issued(target, number=2)

    assert accepted(target, [before, after]) == {after}


def test_an_outage_names_its_store(stores, clock):
    source, target = stores

    def replace(name, method):
        if name == "put_events":
            raise StoreUnavailable("full")
        return method

    with pytest.raises(StoreUnavailable, match=f"^{target.url}: full\n"):
        copy(source, Through(target, replace), clock)


def test_missing_tokens_are_found_however_many_rows_lie_between(stores, clock):
    source, target = stores
    source.add_client(registered())
    keys = [issued(source, number=number) for number in range(4100)]
    copy(*stores, clock)
    unknown = key_of(5000)

    assert target.copyable().missing([min(keys), unknown, max(keys)]) == [unknown]


# A copy that is killed


TOKENS = 2500

COPY = """
from oauth_mw import admin
target = open_store({!r}, create=True)


def progress(count):
    print(count, flush=True)
    sys.stdin.readline()


admin.copy_store(store, target, progress=progress)
"""


@pytest.mark.parametrize("kinds", PAIRS, ids=" to ".join)
def test_a_killed_copy_accepts_nothing_more_and_goes_on(kinds, place, clock):
    urls = [place(kind) for kind in kinds]
    source = open_store(urls[0], create=True, clock=clock)
    keys = changed(source, filled(source))
    source.add_client(registered("crowd"))
    keys += [issued(source, "crowd", 10_000 + number) for number in range(TOKENS)]
    with Processes(urls[0]) as processes:
        copying = processes.fork(COPY.format(urls[1]))
        copied = int(copying.says())
        copying.hears()  # and works on, until the signal comes
        copying.kill()
    target = open_store(urls[1])
    some = keys[::20]
    here = accepted(target, some)
    assert set() < here < accepted(source, some)

    again = admin.copy_store(source, target)

    assert again.tokens.present >= copied
    assert contents(target) == contents(source)
    assert not admin.copy_store(source, target).changed
    source.close()
    target.close()
