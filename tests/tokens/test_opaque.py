"""Opaque tokens: their text, and what is refused without a read of the store."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from helpers.builders import API, BILLING, log_of
from helpers.support import HandClock, or_none
from oauth_mw import StoreUnavailable
from oauth_mw.model import LOG_KEEP_SECONDS, MAX_LIFETIME, Client
from oauth_mw.protocols import Store
from oauth_mw.tokens.opaque import SWEEP_EVERY, OpaqueTokens

STORE_KINDS = ["memory"]

CLIENT = Client("reader", "Reader", ("read",))


@pytest.fixture
def tokens(store: Store, clock: HandClock) -> Callable[..., OpaqueTokens]:
    store.add_client(CLIENT)
    return lambda prefix="": OpaqueTokens(store, clock, prefix)


def text_of(expires_at: int) -> str:
    return urlsafe_b64encode(expires_at.to_bytes(4) + bytes(32)).decode()


def test_a_token_begins_with_its_prefix_and_its_id_is_the_expiry_and_the_digest(tokens):
    issued = tokens("acme_").issue(CLIENT, ("read",), 60)
    text = issued.text

    assert text.startswith("acme_") and len(text) == 5 + 48
    assert issued.token_id == issued.expires_at.to_bytes(4).hex() + sha256(text.encode()).digest()[:28].hex()
    assert tokens("new_").read(text).token_id == issued.token_id
    assert or_none(tokens().read, issued.token_id) is None


@pytest.mark.parametrize("revoked_before", [0, 7])
def test_a_token_carries_its_clients_last_revocation(tokens, store, revoked_before):
    issued = tokens().issue(replace(CLIENT, revoked_before=revoked_before), ("read",), 60)

    assert store.find_token(bytes.fromhex(issued.token_id)).position == revoked_before


@pytest.mark.parametrize("seconds", [0, -1, MAX_LIFETIME + 2 * 24 * 3600], ids=["now", "past", "too far"])
def test_an_impossible_expiry_is_refused_without_the_store(clock, seconds):
    assert or_none(OpaqueTokens(None, clock, "").read, text_of(int(clock()) + seconds)) is None


@pytest.mark.parametrize("text", ["", "x", "ü" * 48, "a" * 47, "a" * 300, "a" * 47 + "=", "a" * 47 + "\n"])
def test_another_form_of_text_is_refused_without_the_store(clock, text):
    assert OpaqueTokens(None, clock, "").find(text) is None


@pytest.mark.parametrize("now", [-5.0, 2.0**32 - 30, 2.0**40], ids=["before 1970", "2106", "far"])
def test_a_clock_out_of_range_issues_nothing(tokens, clock, now):  # L-05
    clock.now = now

    with pytest.raises(StoreUnavailable, match="clock"):
        tokens().issue(CLIENT, ("read",), 60)


@pytest.mark.parametrize(("moved", "left"), [(60, 2 * SWEEP_EVERY), (61, SWEEP_EVERY)])
def test_expired_rows_are_swept_after_a_minute_in_which_a_clock_may_be_ahead(tokens, store, clock, moved, left):  # L-04
    format_ = tokens()
    for _ in range(SWEEP_EVERY):
        format_.issue(CLIENT, ("read",), 60)
    clock.move(60 + moved)

    for _ in range(SWEEP_EVERY):
        format_.issue(CLIENT, ("read",), 60)

    assert store.count_tokens() == left


@pytest.mark.parametrize(
    ("scopes", "audience"), [((), []), (("read",), [API]), (("read", "write"), [BILLING, API])], ids=["0", "1", "2"]
)
def test_a_token_is_read_as_it_was_issued_until_its_last_second(tokens, clock, scopes, audience):  # B-12, N-01
    issued = tokens().issue(CLIENT, scopes, 60, audience)
    token, is_live = tokens().find(issued.text)
    assert (token.scope, token.scopes, is_live) == (" ".join(scopes), frozenset(scopes), True)
    assert (token.token_id, token.expires_at, token.audience) == issued[1:] == (*issued[1:3], tuple(audience))

    read = []
    for _ in range(3):
        clock.move(29.9)
        read.append(or_none(tokens().read, issued.text))

    assert read == [token, token, None]


def test_a_token_is_revoked_once(tokens):
    text = tokens().issue(CLIENT, ("read",), 60).text
    token = tokens().read(text)

    assert [tokens().revoke(token), tokens().revoke(token)] == [True, False]
    assert or_none(tokens().read, text) is None


@pytest.mark.parametrize(("over", "events"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("sign", [-1, 1], ids=["expired", "not expired"])
def test_a_made_up_text_is_logged_only_if_the_log_keeps_it_for_two_days_at_most(
    tokens, store, clock, sign, over, events
):
    before = log_of(store)

    tokens().revoke_unknown(text_of(int(clock()) + sign * (LOG_KEEP_SECONDS + over)), "reader")

    assert len(store.read_log(before.store_id, before.position).events) == events


def test_a_token_with_one_character_changed_is_unknown(tokens):  # B-05
    format_ = tokens("acme_")
    text = format_.issue(CLIENT, ("read",), 60).text
    others = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))]

    assert {or_none(format_.read, other) for other in others} == {None}


def test_a_sweep_that_fails_fails_no_issue(tokens, store, monkeypatch):
    def fail(now: int, limit: int) -> int:
        raise StoreUnavailable("down")

    monkeypatch.setattr(store, "sweep", fail)
    format_ = tokens()

    issued = [format_.issue(CLIENT, ("read",), 60).text for _ in range(SWEEP_EVERY)]

    assert format_.read(issued[-1])
