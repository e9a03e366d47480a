"""Workers that serve from a copy learn what a further copy brings."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from helpers.copying import accepted, each_target, guarded, new_places
from helpers.support import SECRET, bearer, issue
from oauth_mw import admin, open_store


@pytest.fixture
def stores(kinds, request, tmp_path, clock):
    """A source in memory with a client, and its copy."""
    source = open_store("memory://", clock=clock)
    source.add_client(registered())
    with new_places(request, tmp_path) as place:
        target = open_store(place(kinds[1]), create=True, clock=clock)
        admin.copy_store(source, target, clock=clock)
        yield source, target
        target.close()


ENDS = {
    "revoked": lambda store, key: store.revoke_token(key),
    "all ended": lambda store, key: end_client(store, "real"),
    "disabled": lambda store, key: end_client(store, "real", disable=True),
    "deleted": lambda store, key: end_client(store, "real", delete=True),
}


@each_target
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_token_in_the_cache_of_a_worker_ends_with_the_copy(request, tmp_path, kinds, end):
    with new_places(request, tmp_path) as place:
        source, target = open_store("memory://"), open_store(place(kinds[1]), create=True)
        admin.add_client(source, "real", client_id="real", secret=SECRET)
        token = issue(guarded(source), "real", SECRET)
        admin.copy_store(source, target)
        app = guarded(target)
        app.get("/", headers=bearer(token), status=200)
        end(source, admin.token_key(token))

        admin.copy_store(source, target)

        assert app.get("/", headers=bearer(token), expect_errors=True).status_int == 401
        target.close()


@each_target
def test_a_follower_is_told_the_events_in_their_order(stores, clock):
    source, target = stores
    for number in range(5):
        source.revoke_token(issued(source, number=number))
    admin.copy_store(source, target, clock=clock)
    seen = log_of(target)
    end_client(source, "tester")
    source.revoke_token(issued(source, number=6))

    admin.copy_store(source, target, clock=clock)

    page = target.read_log(seen.store_id, seen.position)
    assert page.complete
    assert [event.key is None for event in page.events] == [True, False]
    assert page.position == source.copyable().log_state().position


@each_target
def test_a_follower_forgets_all_when_events_were_swept_before_they_were_copied(stores, clock, monkeypatch):
    monkeypatch.setattr("oauth_mw.stores.memory.store.LOG_LENGTH", 4)
    source, target = stores
    end_client(source, "tester")
    admin.copy_store(source, target, clock=clock)
    seen = log_of(target)
    for _ in range(7):
        end_client(source, "tester")

    admin.copy_store(source, target, clock=clock)

    assert not target.read_log(seen.store_id, seen.position).complete
    page = log_of(target)
    assert target.read_log(page.store_id, page.position).complete


@each_target
def test_a_revocation_arrives_though_the_log_has_forgotten_it(stores, clock, monkeypatch):
    monkeypatch.setattr("oauth_mw.stores.memory.store.LOG_LENGTH", 4)
    source, target = stores
    key = issued(source)
    admin.copy_store(source, target, clock=clock)
    source.revoke_token(key)
    source.add_client(registered("other"))
    for _ in range(9):
        end_client(source, "other")

    admin.copy_store(source, target, clock=clock)

    assert accepted(target, [key]) == set()


def test_events_swept_in_a_database_are_no_gap_for_the_copy(tmp_path, clock):
    source, target = (open_store(f"sqlite:///{tmp_path}/{name}.db", create=True, clock=clock) for name in "st")
    source.add_client(registered())
    end_client(source, "tester")
    clock.move(3 * 24 * 3600)
    end_client(source, "tester")

    admin.copy_store(source, target, clock=clock)

    standing = target.copyable().log_state()
    assert standing[1:] == source.copyable().log_state()[1:]
    store_id = log_of(target).store_id
    assert target.read_log(store_id, standing.position).complete
    assert not target.read_log(store_id, standing.floor - 1).complete
