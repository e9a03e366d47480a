"""Tokens, from the operator's side, through the Python API."""

from __future__ import annotations

import pytest

from helpers.builders import HOUR, NOW, STORE_SUITE, issued, key_of, registered, token_of
from helpers.changes import end_client
from helpers.support import HandClock
from oauth_mw import admin
from oauth_mw.admin.tokens import PURGE_ROWS
from oauth_mw.model import LOG_KEEP_SECONDS
from oauth_mw.tokens.opaque import CLOCK_MARGIN, OpaqueTokens

STORE_KINDS = ["memory"]


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered(attributes={"tier": "gold"}))


@pytest.fixture
def token(store, clock):
    """A token that was just issued."""
    return OpaqueTokens(store, clock, "").issue(store.find_client("tester"), ("read",), HOUR)


def state(store, key, clock):
    return admin.inspect_token(store, key, clock=clock).state


def test_a_token_is_named_by_its_id_or_its_own_text_also_when_it_has_expired(token, clock):
    clock.move(99 * HOUR)

    assert admin.token_key(token.text) == admin.token_key(token.token_id) == bytes.fromhex(token.token_id)


@pytest.mark.parametrize("store_kind", list(STORE_SUITE))
def test_live_tokens_of_a_client_are_listed_by_their_expiry(store, clock):
    keys = [issued(store, number=number, expires_at=NOW + number) for number in range(5)]
    store.revoke_token(keys[3])

    listed = list(admin.list_tokens(store, "tester", clock=clock))

    assert [each.token_id for each in listed] == [keys[number].hex() for number in (1, 2, 4)]
    assert {(each.client_id, each.scope, each.state, each.issued_at) for each in listed} == {
        ("tester", "read", "live", NOW)
    }
    assert list(admin.list_tokens(store, "tester", after=listed[1].token_id, clock=clock)) == listed[2:]


def test_inspecting_shows_what_the_store_has_and_not_the_text(store, clock, token):  # L-02
    status = admin.inspect_token(store, admin.token_key(token.text), clock=clock)

    assert (status.token_id, status.client_id, status.scope) == (token.token_id, "tester", "read")
    assert (status.issued_at, status.expires_at, dict(status.attributes)) == (NOW, NOW + HOUR, {"tier": "gold"})
    assert token.text not in repr(status)


def test_a_token_lives_until_its_expiry(store, clock):
    key = issued(store)

    states = []
    for seconds in (0, HOUR - 1, 1):
        clock.move(seconds)
        states.append(state(store, key, clock))
    assert states == ["live", "live", "expired"]


@pytest.mark.parametrize(
    "revoke", [lambda store, key: store.revoke_token(key), lambda store, _: end_client(store, "tester")]
)
def test_a_revoked_token_is_shown_as_revoked(store, clock, revoke):
    key = issued(store)

    revoke(store, key)

    assert state(store, key, clock) == "revoked"


@pytest.mark.parametrize(("over", "revoked"), [(LOG_KEEP_SECONDS - 1, True), (LOG_KEEP_SECONDS, False)])
def test_an_expired_token_is_revoked_as_long_as_a_clock_that_is_behind_accepts_it(store, clock, over, revoked):
    key = issued(store)
    clock.move(HOUR + over)

    assert admin.revoke_token(store, key, clock=clock) is revoked

    assert store.find_token(key).revoked is revoked


def test_a_purge_takes_all_expired_rows_in_bounded_steps(store, clock):
    expired = 2 * PURGE_ROWS + 1
    client = store.find_client("tester")
    for number in range(expired):
        store.add_token(key_of(number, expires_at=NOW - CLOCK_MARGIN - 1), token_of(client))
    live = issued(store, number=expired)

    assert list(admin.purge(store, clock=clock)) == [PURGE_ROWS, PURGE_ROWS, 1]
    assert store.find_token(live) and store.count_tokens() == 1
    assert list(admin.purge(store, clock=clock)) == []


def test_a_purge_by_a_clock_that_is_a_minute_ahead_leaves_what_others_accept(store, clock):
    key = issued(store)
    ahead = HandClock()
    ahead.move(HOUR + CLOCK_MARGIN)

    assert list(admin.purge(store, clock=ahead)) == []

    assert admin.revoke_token(store, key, clock=clock)
