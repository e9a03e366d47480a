from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from helpers.key_rings import Keys, rings_of
from helpers.support import HandClock
from oauth_mw.keys.keypair import Key
from oauth_mw.keys.ring import KeyRing
from oauth_mw.model import KeyRecord, KeySet
from oauth_mw.protocols import Store


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)


@pytest.fixture
def ring(keys: Keys, clock: HandClock) -> Callable[..., KeyRing]:
    """Make the ring of a worker; time passes for all of them together."""
    return rings_of(keys, clock)


@pytest.fixture
def soon(clock: HandClock) -> Callable[[], int]:
    return lambda: int(clock()) + 60


@pytest.fixture
def signs(soon: Callable[[], int]) -> Callable[[KeyRing], Any]:
    """The id of the key with which a ring signs now."""
    return lambda ring: ring.signing(soon()).kid


@pytest.fixture
def locked(keys: Keys, clock: HandClock) -> Callable[..., str]:
    """Add a key that a secret encrypts, with few rounds: to decrypt one that a ring adds takes long. Return its id."""

    def add(secret: str, delay: int = 0) -> str:
        native = generate_private_key(SECP256R1())
        encryption = BestAvailableEncryption(secret.encode())
        pem = native.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
        key, now = Key(native), int(clock())
        record = KeyRecord(key.kid, "ES256", json.dumps(key.jwk()), pem, now, now + delay)
        keys.update_keys(lambda found: KeySet.of([*found.keys, record]))
        return key.kid

    return add
