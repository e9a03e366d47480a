"""Workers that use a copy see what a repeated copy changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import NOW, issued, key_of, log_of, registered
from helpers.changes import end_before, end_client
from helpers.copying import PAIRS, Through, accepted, contents, guarded, in_pairs, mostly_long
from helpers.support import SECRET, bearer, issue
from oauth_mw import admin, open_store
from oauth_mw.model import EVICTION, LOG_KEEP_SECONDS
from oauth_mw.tokens.denylist import load_denylist

REVOKED = {
    "by itself": lambda store, key: store.revoke_token(key),
    "with its client": lambda store, key: end_client(store, "real", delete=True),
}


@mostly_long
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


@mostly_long
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
def test_a_follower_must_begin_anew_if_an_event_was_swept_that_it_has_not_read(stores, clock, missed):
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


@mostly_long
def test_a_follower_that_reads_of_a_change_finds_the_client_as_it_is_now(stores, clock):
    source, target = stores
    source.add_client(registered())
    admin.copy_store(source, target, clock=clock)
    seen = log_of(target)
    source.update_client("tester", lambda client: replace(client, rate_limit="9/minute"), evict_tokens=True)
    found = []

    def watched(name, method):
        """Read the client each time that the copy has written."""

        def put(*given):
            written = method(*given)
            if target.read_log(seen.store_id, seen.position).events:
                found.append(target.find_client("tester").rate_limit)
            return written

        return put if name.startswith("put_") else method

    admin.copy_store(source, Through(target, watched), clock=clock)

    assert found and set(found) == {"9/minute"}
    assert [event[1:3] for event in target.read_log(seen.store_id, seen.position).events] == [("tester", EVICTION)]
    assert target.find_client("tester").revoked_before == 0


@mostly_long
def test_a_copied_event_that_evicts_revokes_no_token(stores, clock):
    source, target = stores
    source.add_client(registered())
    keys = [issued(source)]
    source.update_client("tester", lambda client: client, evict_tokens=True)

    admin.copy_store(source, target, clock=clock)

    assert accepted(target, keys) == {*keys}
    assert contents(target) == contents(source)


@mostly_long
def test_a_follower_reads_of_a_revocation_and_of_what_it_spares_at_once(stores, clock):
    source, target = stores
    source.add_client(registered())
    admin.copy_store(source, target, clock=clock)
    seen, denylist = log_of(target), load_denylist(target, clock)
    source.revoke_log_only("tester", key_of(), 0, NOW)
    end_before(source, "tester", NOW)
    followed = [seen.position]

    def follow(name, method):
        def put(*given):
            written = method(*given)
            page = target.read_log(seen.store_id, followed[-1])
            denylist.apply(page.events)
            followed.append(page.position)
            return written

        return put if name == "put_events" else method

    admin.copy_store(Through(source, in_pairs), Through(target, follow), clock=clock)  # the second pair is cut

    assert len({*followed}) > 2
    assert [denylist.is_revoked(key_of(number), "tester", 0, NOW) for number in range(2)] == [True, False]


@mostly_long
@pytest.mark.parametrize("again", [False, True], ids=["first copy", "second copy"])
def test_a_follower_that_starts_anew_during_a_copy_knows_what_was_swept(stores, clock, again):
    source, target = stores
    source.add_client(registered())
    source.add_client(registered("other"))
    if again:
        admin.copy_store(source, target, clock=clock)
    end_client(source, "tester")
    clock.move(LOG_KEEP_SECONDS + 1)
    end_client(source, "other")  # which sweeps the event of the first
    seen, denylist = [log_of(target)], load_denylist(target, clock)

    def follow(name, method):
        def put(*given):
            written = method(*given)
            page = target.read_log(seen[-1].store_id, seen[-1].position)
            if page.complete:
                denylist.apply(page.events)
            else:
                page = denylist.load(target, page, 60)
                denylist.settle()
            seen.append(page)
            return written

        return put if name.startswith("put_") else method

    admin.copy_store(source, Through(target, follow), clock=clock)

    assert denylist.is_revoked(key_of(), "tester", 0, NOW)
