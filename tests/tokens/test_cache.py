"""The cache of verified tokens follows the revocation log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helpers.changes import end_client
from helpers.support import HandClock
from oauth_mw.model import AccessToken, Client
from oauth_mw.protocols import Store
from oauth_mw.tokens.cache import POLL_SECONDS, TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens, storage_key

CLIENT = Client("reader", "Reader", ("read",))


class Counted:
    """A store whose looks are counted."""

    def __init__(self, store: Store) -> None:
        self.looks = 0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read_log(self, store_id: str, after: int) -> Any:
        self.looks += 1
        return self._store.read_log(store_id, after)


@pytest.fixture
def counted(store: Store) -> Counted:
    store.add_client(CLIENT)
    return Counted(store)


@pytest.fixture
def tokens(counted: Counted, clock: HandClock) -> OpaqueTokens:
    return OpaqueTokens(counted, clock, "", 'Bearer realm="api"')


@pytest.fixture
def cache(counted: Counted, tokens: OpaqueTokens, clock: HandClock) -> Callable[..., TokenCache]:
    def make(read: Callable[[str], AccessToken | None] = tokens.read, **options: Any) -> TokenCache:
        options = {"size": 100, "lag": 1, "grace": 0.0, "timeout": 1.0, "monotonic": clock, **options}
        return TokenCache(read, counted, **options)

    return make


@pytest.fixture
def issue(tokens: OpaqueTokens, counted: Counted) -> Callable[[], str]:
    return lambda: tokens.issue(counted.find_client("reader"), ("read",), 3600)[0]


def test_a_found_token_is_kept(cache, issue):
    verified, text = cache(), issue()
    verified.find("Bearer " + text, "")

    found = verified.find("Bearer " + text, text)

    assert found is not None and verified.find("Bearer " + text, "") is found


def test_a_hit_looks_once_a_second(cache, issue, counted, clock):
    verified, text = cache(), issue()
    verified.find("Bearer " + text, "")
    looks = counted.looks
    for _ in range(50):
        verified.find("Bearer " + text, "")
    within = counted.looks - looks

    clock.move(POLL_SECONDS)
    verified.find("Bearer " + text, "")

    assert (within, counted.looks - looks) == (0, 1)


def test_an_event_without_a_moved_generation_is_met_by_the_next_look(cache, issue, tokens, counted, clock):
    # What a revoker leaves that was killed between its commit and the counter.
    text = issue()
    verified = cache()
    counted.generation = lambda: 0
    verified.find("Bearer " + text, "")
    verified.find("Bearer " + text, text)
    counted.revoke_token(storage_key(text))

    clock.move(POLL_SECONDS)

    assert verified.find("Bearer " + text, "") is None


def test_another_store_behind_the_url_empties_the_cache(cache, issue, counted, clock):
    verified, text = cache(), issue()
    verified.find("Bearer " + text, "")
    verified.find("Bearer " + text, text)
    counted.read_log = lambda store_id, after: counted._store.read_log("another", after)

    clock.move(POLL_SECONDS)

    assert verified.find("Bearer " + text, "") is None


def test_disabled_and_enabled_again_revives_nothing_in_the_cache(cache, issue, counted):
    verified, text = cache(), issue()
    verified.find("Bearer " + text, "")
    verified.find("Bearer " + text, text)
    end_client(counted, "reader", disable=True)

    counted.update_client("reader", lambda client: replace(client, enabled=True))

    assert (verified.find("Bearer " + text, ""), verified.find("Bearer " + text, text)) == (None, None)
