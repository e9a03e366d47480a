"""Nouns for the tests of stores, made short."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from helpers.support import HandClock
from oauth_mw.credentials import hash_secret, live_secret, matching_verifier
from oauth_mw.model import Client, ClientSecret, LogPage, Revocation, TokenRecord
from oauth_mw.protocols import Store
from oauth_mw.tokens.denylist import load_denylist

# The kinds of stores that the shared suite, tests/stores/contract/test_store_*.py, runs over.
STORE_SUITE = ["memory", "sqlite", "postgresql", "redis"]
# Several servers that take each other's place. The suite runs over a cluster, too, where slow tests run: a store with
# Sentinels differs from one server only in how the server is found.
SPANNING = ["redis+sentinel", "redis+cluster"]
# Where expired rows wait for a sweep. Redis lets them go by itself.
SWEEPING = [kind for kind in STORE_SUITE if kind != "redis"]
sweeping = pytest.mark.parametrize("store_kind", SWEEPING)

NOW = int(HandClock().now)
HOUR = 3600


API, BILLING = "https://api.example.com/v1", "urn:example:billing"


def registered(client_id: str = "tester", **changes: Any) -> Client:
    return Client(client_id, "a client", **{"created_at": NOW, "secrets": (hash_secret("s" * 16),), **changes})


def key_of(number: int = 0, *, expires_at: int = NOW + HOUR) -> bytes:
    return expires_at.to_bytes(4) + sha256(number.to_bytes(8)).digest()[:28]


def token_of(client: Client, **changes: Any) -> TokenRecord:
    """What an issue would store for a client that was read from a store."""
    return TokenRecord(client.client_id, "read", NOW, client.revoked_before)._replace(**changes)


def given_secret(store: Store, client_id: str, secret: ClientSecret) -> bool:
    """Whether there is such a client; it has one more secret then."""
    return bool(store.update_client(client_id, lambda client: replace(client, secrets=(*client.secrets, secret))))


def secret_works(store: Store, text: str, now: float = NOW, client_id: str = "tester") -> bool:
    """Whether the client is authenticated by this secret."""
    verifier = matching_verifier(text, store.find_verifiers(client_id))
    client = store.find_client(client_id)
    return bool(client and verifier and live_secret(client, verifier, now))


def issued(store: Store, client_id: str = "tester", number: int = 0, *, expires_at: int = NOW + HOUR) -> bytes:
    """The key of a token that was issued to the client just now."""
    client = store.find_client(client_id)
    assert client
    key = key_of(number, expires_at=expires_at)
    store.add_token(key, token_of(client))
    return key


def is_dead(store: Store, key: bytes) -> bool:
    token = store.find_token(key)
    assert token, "the row is gone"
    return token.revoked or (
        not store.rows_tell_revocation
        and load_denylist(store, lambda: 0).is_revoked(key, token.client_id, token.position)
    )


def events_of(store: Store) -> list[Revocation]:
    """All that the log alone knows of a store's tokens and clients."""
    page = store.read_denylist()
    events = [*page.events]
    while page.following is not None:
        page = store.read_denylist(page.following)
        events += page.events
    return events


def log_of(store: Store) -> LogPage:
    """Where the log stands for somebody who knows nothing yet."""
    return store.read_log("", -1)
