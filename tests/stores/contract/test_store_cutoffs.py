"""Tokens of a client are revoked that were issued before a moment, and no others."""

from __future__ import annotations

import pytest

from helpers.builders import (
    HOUR,
    NOW,
    events_of,
    is_dead,
    issued,
    key_of,
    log_of,
    registered,
    token_of,
)
from helpers.changes import end_before, end_client
from oauth_mw.cutoffs import spares
from oauth_mw.model import KEEP_AGAIN_SECONDS, LOG_KEEP_SECONDS, Revocation, Sizes
from oauth_mw.tokens.denylist import Denylist, load_denylist
from oauth_mw.tokens.revoking import revoke_row

pytestmark = pytest.mark.usefixtures("tester", "other")

AROUND = [NOW - HOUR, NOW - 1, NOW, NOW + 1]
ONLY_EARLIER = [True, True, False, False]


@pytest.fixture
def keys(store):
    """Tokens that were issued around the moment."""
    return [issued(store, number=number, at=at) for number, at in enumerate(AROUND)]


@pytest.fixture
def follower(store):
    """The denylist of a worker that has followed the log since before: bring it up to date, and return it."""
    denylist, seen = load_denylist(store, lambda: NOW), [log_of(store)]

    def follow() -> Denylist:
        page = store.read_log(seen[-1].store_id, seen[-1].position)
        denylist.apply(page.events)
        seen.append(page)
        return denylist

    return follow


def dead(store, keys):
    return [is_dead(store, key) for key in keys]


def test_tokens_issued_before_the_moment_are_revoked_and_no_others(store, keys):
    of_other = issued(store, "other", number=9, at=NOW - HOUR)

    end_before(store, "tester", NOW)

    assert dead(store, keys) == ONLY_EARLIER
    assert not is_dead(store, of_other)


def test_a_list_of_tokens_says_the_same(store, keys):
    end_before(store, "tester", NOW)

    found = dict(store.tokens_of("tester"))
    assert [found[key].revoked for key in keys] == ONLY_EARLIER


def test_workers_judge_tokens_without_a_row_alike(store, follower):
    end_before(store, "tester", NOW)

    for denylist in (follower(), load_denylist(store, lambda: NOW)):
        assert [denylist.is_revoked(key_of(), "tester", 0, at) for at in AROUND] == ONLY_EARLIER


def test_the_log_first_revokes_all_so_that_older_workers_accept_none(store):
    seen = log_of(store)

    end_before(store, "tester", NOW)

    first, second = store.read_log(seen.store_id, seen.position).events
    before = store.find_verifiers("tester").revoked_before
    assert first == Revocation(before, "tester")
    assert second == Revocation(before + 1, "tester", second.key, True) and spares(second.key)


def test_a_token_that_is_issued_later_lives_whatever_the_clock_of_its_issuer(store):
    end_before(store, "tester", NOW)

    assert not is_dead(store, issued(store, at=NOW - HOUR))


def test_a_token_whose_issue_was_under_way_is_judged_by_its_own_time(store):
    client = store.find_client("tester")
    end_before(store, "tester", NOW)

    for number, at in enumerate(AROUND):
        store.add_token(key_of(number), token_of(client, issued_at=at))

    assert dead(store, map(key_of, range(4))) == ONLY_EARLIER


@pytest.mark.parametrize("moments", [[NOW, NOW - HOUR], [NOW - HOUR, NOW]], ids=["earlier", "later"])
def test_of_two_moments_the_later_one_counts(store, keys, follower, moments):
    for moment in moments:
        end_before(store, "tester", moment)

    assert dead(store, keys) == ONLY_EARLIER
    assert [follower().is_revoked(key_of(), "tester", 0, at) for at in AROUND] == ONLY_EARLIER


@pytest.mark.parametrize("how", [{}, {"disable": True}, {"delete": True}], ids=["all tokens", "disabled", "deleted"])
def test_what_was_spared_is_revoked_with_all(store, keys, follower, how):
    end_before(store, "tester", NOW)
    end_client(store, "tester", **how)

    for denylist in (follower(), load_denylist(store, lambda: NOW)):
        assert denylist.is_revoked(key_of(9), "tester", 0, NOW + 1)
    assert dead(store, keys) == [True] * 4


def test_what_was_revoked_with_all_is_not_spared(store, keys, follower):
    end_client(store, "tester")
    later = issued(store, number=9)
    end_before(store, "tester", NOW - 2 * HOUR)

    assert dead(store, keys) == [True] * 4
    assert not is_dead(store, later)
    for denylist in (follower(), load_denylist(store, lambda: NOW)):
        assert denylist.is_revoked(key_of(), "tester", 0, NOW + 1)


def test_a_token_that_was_spared_is_revoked_once(store, keys):
    end_before(store, "tester", NOW)

    said = [[revoke_row(store, key, "tester") for key in keys] for _ in range(2)]

    assert said == [[False, False, True, True], [False] * 4]
    assert dead(store, keys) == [True] * 4


def test_a_token_without_a_row_that_was_spared_is_revoked_once(store):
    end_before(store, "tester", NOW)

    said = [[store.revoke_log_only("tester", key_of(at), 0, at) > 0 for at in AROUND] for _ in range(2)]

    assert said == [[False, False, True, True], [False] * 4]
    denylist = load_denylist(store, lambda: NOW)
    assert all(denylist.is_revoked(key_of(at), "tester", 0, at) for at in AROUND)


def test_what_was_revoked_singly_is_not_spared(store, follower):
    store.revoke_log_only("tester", key_of(), 0, NOW)
    row = issued(store, number=9)
    store.revoke_token(row)

    end_before(store, "tester", NOW - HOUR)
    end_before(store, "tester", NOW - 2)

    assert is_dead(store, row)
    for denylist in (follower(), load_denylist(store, lambda: NOW)):
        assert denylist.is_revoked(key_of(), "tester", 0, NOW)
        assert not denylist.is_revoked(key_of(1), "tester", 0, NOW)


def test_what_was_spared_lives_after_the_events_are_swept(store, keys, clock):
    end_before(store, "tester", NOW)
    seen = log_of(store)
    for _ in range(3):
        clock.move(LOG_KEEP_SECONDS + KEEP_AGAIN_SECONDS + 2)
        end_client(store, "other")

    assert dead(store, keys) == ONLY_EARLIER
    assert load_denylist(store, clock).is_revoked(key_of(), "tester", 0, NOW - 1)
    assert not load_denylist(store, clock).is_revoked(key_of(), "tester", 0, NOW)
    assert store.single_process or not store.read_log(seen.store_id, seen.position - 1).complete


def test_only_the_last_event_that_spares_tokens_is_kept(store, clock):
    for _ in range(3):
        end_before(store, "tester", NOW)
    for _ in range(3):
        clock.move(LOG_KEEP_SECONDS + KEEP_AGAIN_SECONDS + 2)
        end_client(store, "other")

    last = store.find_verifiers("tester").revoked_before
    assert [event.position for event in events_of(store) if spares(event.key)] == [last + 1]
    assert store.single_process or store.count_events(99) == 2


def test_no_event_that_spares_tokens_is_kept_after_a_revocation_of_all(store, clock):
    end_before(store, "tester", NOW)
    end_client(store, "tester")
    for _ in range(3):
        clock.move(LOG_KEEP_SECONDS + KEEP_AGAIN_SECONDS + 2)
        end_client(store, "other")

    assert not [event for event in events_of(store) if event.key]
    assert store.single_process or store.count_events(99) == 1


@pytest.mark.parametrize("sizes", [Sizes(log_only_per_client=3)], ids=["three"])
def test_single_revocations_count_although_others_were_revoked_meanwhile(store):
    counts = [store.revoke_log_only("tester", key_of(number), 0, NOW) for number in range(2)]
    end_before(store, "tester", NOW - HOUR)
    position = store.find_client("tester").revoked_before

    counts.append(store.revoke_log_only("tester", key_of(3), position, NOW))

    assert counts == [1, 2, 4]  # the event itself is one of them


def test_no_client_is_no_event(store):
    before = log_of(store)

    assert not end_before(store, "nobody", NOW)
    assert log_of(store) == before


def test_a_client_that_was_never_revoked_has_the_moment_alone(store):
    store.add_client(registered("third"))

    end_before(store, "third", NOW)

    assert not is_dead(store, issued(store, "third"))
