"""Short ways to make clients, tokens and keys for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from helpers.support import HandClock
from oauth_mw import open_store
from oauth_mw.credentials import hash_secret, live_secret, matching_verifier
from oauth_mw.model import Client, ClientSecret, LogPage, Revocation, TokenRecord
from oauth_mw.protocols import Store
from oauth_mw.stores.memory import MemoryStore
from oauth_mw.stores.records import verifiers_with
from oauth_mw.stores.redis import RedisStore
from oauth_mw.stores.sql.store import SQLStore
from oauth_mw.tokens.denylist import load_denylist

# The kinds of stores that the shared suite, tests/stores/contract/test_store_*.py, runs over.
STORE_SUITE = {"memory": MemoryStore, "sqlite": SQLStore, "postgresql": SQLStore, "redis": RedisStore}
# Those of them that several processes can share. The others need not encode what they keep, and hold no records.
MULTI_PROCESS = [kind for kind, store in STORE_SUITE.items() if not store.single_process]
multi_process = pytest.mark.parametrize("store_kind", MULTI_PROCESS)
# Stores of several servers that replace each other. The suite also runs over a cluster, as slow tests: a store with
# Sentinels differs from a single server only in how the server is found.
SPANNING = ["redis+sentinel", "redis+cluster"]
# Stores whose expired rows wait for a sweep. Redis deletes them by itself.
SWEEPING = [kind for kind in STORE_SUITE if kind != "redis"]
sweeping = pytest.mark.parametrize("store_kind", SWEEPING)
# For details that hardly differ by engine: over servers only among the slow tests.
_ON_SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("postgresql", "redis", "redis+cluster")]
FEW = ["memory", "sqlite", *_ON_SERVERS]
mostly_slow = pytest.mark.parametrize("store_kind", FEW)

NOW = int(HandClock().now)
HOUR = 3600


API, BILLING = "https://api.example.com/v1", "urn:example:billing"


def registered(client_id: str = "tester", **changes: Any) -> Client:
    return Client(client_id, "a client", **{"created_at": NOW, "secrets": (hash_secret("s" * 16),), **changes})


def key_of(number: int = 0, *, expires_at: int = NOW + HOUR) -> bytes:
    return expires_at.to_bytes(4) + sha256(number.to_bytes(8)).digest()[:28]


def token_of(client: Client, **changes: Any) -> TokenRecord:
    """The token that would be issued to a client that was read from a store."""
    return TokenRecord(client.client_id, "read", NOW, client.revoked_before)._replace(**changes)


@contextmanager
def opened(url: str, **options: Any) -> Iterator[Store]:
    """A store, made if it is missing, with the client ``tester``; closed at the end."""
    with closing(open_store(url, create=True, **options)) as store:
        store.add_client(registered())
        yield store


def given_secret(store: Store, client_id: str, secret: ClientSecret) -> bool:
    """Add a secret to a client; false if there is no such client."""
    return bool(store.update_client(client_id, lambda client: replace(client, secrets=(*client.secrets, secret))))


def secret_works(store: Store, text: str, now: float = NOW, client_id: str = "tester") -> bool:
    """Whether the client is authenticated by this secret."""
    verifier = matching_verifier(text, store.find_verifiers(client_id).secrets)
    client = store.find_client(client_id)
    return bool(client and verifier and live_secret(client, verifier, now))


def has_right_verifiers(store: Store, client: Client) -> bool:
    """Whether those in the store are of this record."""
    return store.find_verifiers(client.client_id) == verifiers_with(client)


def issued(
    store: Store, client_id: str = "tester", number: int = 0, *, at: int = NOW, expires_at: int = NOW + HOUR
) -> bytes:
    """The key of a token that was issued to the client just now, and says that it was issued at another second."""
    client = store.find_client(client_id)
    assert client
    key = key_of(number, expires_at=expires_at)
    store.add_token(key, token_of(client, issued_at=at))
    return key


def is_dead(store: Store, key: bytes) -> bool:
    token = store.find_token(key)
    assert token, "the row is gone"
    return token.revoked or (
        not store.rows_show_all and load_denylist(store, lambda: 0).is_revoked(*of_row(key, token))
    )


def of_row(key: bytes, token: TokenRecord) -> tuple[bytes, str, int, int]:
    """What a denylist is asked about a token that has a row."""
    return key, token.client_id, token.position, token.issued_at


def events_of(store: Store) -> list[Revocation]:
    """All events of the store's denylist."""
    page = store.read_denylist()
    events = [*page.events]
    while page.following is not None:
        page = store.read_denylist(page.following)
        events += page.events
    return events


def log_of(store: Store) -> LogPage:
    """What a new follower reads of the log."""
    return store.read_log("", -1)
