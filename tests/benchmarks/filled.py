"""Stores that hold many live tokens, filled faster than by issuing them."""

from __future__ import annotations

import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from engines import Engine

from oauth_mw import admin, open_store
from oauth_mw.model import TokenRecord
from oauth_mw.protocols import Store
from oauth_mw.tokens.opaque import storage_key

CLIENT_ID = "reports"
SECRET = "7Kq2vX9mB4tR8wZ1nC5yL6hD3sF0gJ"
SCOPE = "reports:read"
LIFETIME = 24 * 3600
AT_LEAST_LEFT = LIFETIME // 4  # no token may expire while it is measured
SAMPLE = 10_000

_chance = random.Random("benchmarks")


@dataclass
class Filled:
    """A store, some of its tokens as text from all over it in random order, and what one takes in the engine."""

    store: Store
    url: str
    count: int
    tokens: list[str]
    bytes_a_token: float


@contextmanager
def filled(engine: Engine, name: str, count: int) -> Iterator[Filled]:
    with engine.place(name) as url, closing(open_store(url, create=True)) as store:
        token = registered(store)
        empty = engine.size(url)
        texts: dict[str, bytes] = {}
        engine.fill(url, token, _keys(count, token.issued_at, texts))
        size = engine.size(url)
        yield Filled(store, url, count, _shuffled(texts), (size - empty) / count)


def filled_memory(count: int) -> Filled:
    store = open_store("memory://")
    token = registered(store)
    texts: dict[str, bytes] = {}
    for key in _keys(count, token.issued_at, texts):
        store.add_token(key, token)
    return Filled(store, store.url, count, _shuffled(texts), 0.0)


def registered(store: Store) -> TokenRecord:
    """A token of a new client, after a revocation, so that log positions are as long as in real life."""
    admin.add_client(store, "Reports", scope=SCOPE, lifetime=LIFETIME, client_id=CLIENT_ID, secret=SECRET)
    other = admin.add_client(store, "Another").client
    admin.disable_client(store, other.client_id)
    return TokenRecord(CLIENT_ID, SCOPE, int(time.time()), admin.get_client(store, CLIENT_ID).revoked_before)


def made_up(expires_at: int) -> str:
    """A well-formed token that no store knows."""
    return urlsafe_b64encode(expires_at.to_bytes(4) + _chance.randbytes(32)).decode()


def key_of(text: str) -> bytes:
    """Where the token lies, or would."""
    key = storage_key(text)
    assert key is not None
    return key


def add_expired(engine: Engine, url: str, count: int, seconds: range) -> None:
    """Rows of tokens that expired one after the other within these Unix seconds."""
    ends = (seconds[len(seconds) * index // count] for index in range(count))
    token = TokenRecord(CLIENT_ID, SCOPE, seconds[0] - LIFETIME, 0)
    engine.fill(url, token, (end.to_bytes(4) + _chance.randbytes(28) for end in ends))


def _keys(count: int, now: int, texts: dict[str, bytes]) -> Iterator[bytes]:
    """Keys in the order in which tokens are issued; every so often one whose text is put into ``texts``."""
    for index in range(count):
        expires_at = now + AT_LEAST_LEFT + (LIFETIME - AT_LEAST_LEFT) * index // count
        if index * SAMPLE % count < SAMPLE:
            text = made_up(expires_at)
            texts[text] = key_of(text)
            yield texts[text]
        else:
            yield expires_at.to_bytes(4) + _chance.randbytes(28)


def _shuffled(texts: dict[str, bytes]) -> list[str]:
    return _chance.sample(list(texts), len(texts))
