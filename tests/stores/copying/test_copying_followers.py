"""Workers that serve from a copy learn what a further copy brings."""

from __future__ import annotations

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from helpers.copying import PAIRS, each_pair, guarded
from helpers.support import SECRET, bearer, issue
from oauth_mw import admin, open_store
from oauth_mw.model import LOG_KEEP_SECONDS

REVOKED = {
    "by itself": lambda store, key: store.revoke_token(key),
    "with its client": lambda store, key: end_client(store, "real", delete=True),
}


@each_pair
@pytest.mark.parametrize("revoke", REVOKED.values(), ids=REVOKED)
def test_a_token_in_the_cache_of_a_worker_is_revoked_by_a_copy(kinds, place, revoke):
    source, target = (open_store(place(kind), create=True) for kind in kinds)
    admin.add_client(source, "real", client_id="real", secret=SECRET)
    token = issue(guarded(source), "real", SECRET)
    admin.copy_store(source, target)
    app = guarded(target)
    app.get("/", headers=bearer(token), status=200)
    revoke(source, admin.token_key(token))

    admin.copy_store(source, target)

    assert app.get("/", headers=bearer(token), expect_errors=True).status_int == 401
    source.close()
    target.close()


@each_pair
def test_a_follower_is_given_the_events_in_their_order(stores, clock):
    source, target = stores
    source.add_client(registered())
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


@pytest.mark.parametrize("kinds", [("sqlite", target) for _, target in PAIRS], ids=[target for _, target in PAIRS])
@pytest.mark.parametrize("missed", [True, False], ids=["before the copy", "after the copy"])
def test_a_follower_forgets_all_if_an_event_was_swept_that_it_did_not_see(stores, clock, missed):
    source, target = stores
    source.add_client(registered())
    end_client(source, "tester")
    admin.copy_store(source, target, clock=clock)
    seen = log_of(target)
    end_client(source, "tester")
    if not missed:
        admin.copy_store(source, target, clock=clock)
        seen = log_of(target)
    clock.move(2 * LOG_KEEP_SECONDS)
    end_client(source, "tester")

    admin.copy_store(source, target, clock=clock)

    assert target.read_log(seen.store_id, seen.position).complete is not missed
    state = target.copyable().log_state()
    assert state[1:] == source.copyable().log_state()[1:]
    assert target.read_log(seen.store_id, state.position).complete
