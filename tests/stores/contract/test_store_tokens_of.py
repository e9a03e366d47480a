"""The tokens of one client, page by page, in every store."""

from __future__ import annotations

import pytest

from helpers.builders import HOUR, NOW, issued, key_of, mostly_slow, token_of
from helpers.changes import end_client
from oauth_mw.model import TOKENS_PER_PAGE, Sizes

pytestmark = pytest.mark.usefixtures("tester", "other")


@pytest.fixture
def sizes():
    """Of a store that reads a few tokens at once."""
    return Sizes(counted=3)


def tokens_of(store, after=b""):
    """All tokens of the client after a key, page by page."""
    found = []
    while page := store.tokens_of("tester", after):
        found += page
        assert after < page[-1][0], "it does not go on"
        after = page[-1][0]
    return found


@mostly_slow
def test_a_client_without_tokens_has_an_empty_page(store):
    issued(store, "other")

    assert [*store.tokens_of("tester"), *store.tokens_of("unknown")] == []


@mostly_slow
def test_tokens_are_found_as_they_were_added(store):
    token = token_of(store.find_client("tester"), attributes={"tier": "gold"}, audience=("urn:a",))
    store.add_token(key_of(), token)
    issued(store, "other", number=1)

    assert store.tokens_of("tester") == [(key_of(), token)]


def test_tokens_among_many_of_others_come_in_the_order_of_their_keys(store):
    mine = [issued(store, number=number, expires_at=NOW + HOUR - 60 * number) for number in range(4)]
    for number in range(16):
        issued(store, "other", number=100 + number, expires_at=NOW + HOUR - 15 * number)

        assert [key for key, _ in tokens_of(store)] == sorted(mine)


@mostly_slow
def test_a_page_follows_a_key(store):
    keys = sorted(issued(store, number=number) for number in range(5))

    assert [[key for key, _ in tokens_of(store, after)] for after in keys] == [keys[n:] for n in range(1, 6)]
    assert [key for key, _ in tokens_of(store, (NOW + HOUR).to_bytes(4))] == keys


@pytest.mark.slow
def test_more_than_a_page(store):
    keys = [issued(store, number=number) for number in range(TOKENS_PER_PAGE + 5)]

    assert [key for key, _ in tokens_of(store)] == sorted(keys)


def test_a_revoked_token_is_marked(store):
    revoked, live = issued(store, number=1), issued(store, number=2)
    store.revoke_token(revoked)

    assert {key: token.revoked for key, token in store.tokens_of("tester")} == {revoked: True, live: False}


@mostly_slow
def test_tokens_that_were_revoked_together_are_marked(store):
    issued(store, number=1)
    end_client(store, "tester")
    live = issued(store, number=2)

    assert [key for key, token in store.tokens_of("tester") if not token.revoked] == [live]
