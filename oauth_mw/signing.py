"""The signing keys of a configuration. What they are made with is imported only where there is an issuer."""

from __future__ import annotations

import time
from math import ceil
from typing import TYPE_CHECKING

from .config import Settings
from .endpoints.documents import MAX_AGE
from .model import Clock
from .protocols import KeyStore

if TYPE_CHECKING:
    from .keys.ring import KeyRing


def key_ring(settings: Settings, keys: KeyStore, clock: Clock) -> KeyRing:
    """The keys of a store, as the options say.

    A key is published before it signs for as long as anybody may go without it: its cached key
    set, the store's replicas, and a worker's last look at the store.
    """
    from .keys.ring import LOOK_SECONDS, KeyRing

    return KeyRing(
        keys,
        clock,
        time.monotonic,
        algorithm=settings.signing_algorithm,
        lifetime=settings.signing_key_lifetime,
        lead=MAX_AGE + ceil(settings.revocation_lag_seconds) + ceil(LOOK_SECONDS),
        secret=settings.key_encryption_secret,
    )
