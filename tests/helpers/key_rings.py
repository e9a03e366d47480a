"""Rings of signing keys over a store that can fail, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.support import HandClock
from oauth_mw import StoreUnavailable
from oauth_mw.keys.ring import KeyRing
from oauth_mw.model import Clock, KeySet
from oauth_mw.protocols import KeyStore

LEAD = 300


class Keys:
    """A key store that counts readings of all keys. It fails while ``down``, and refuses changes while ``full``."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self.reads = 0
        self.down = self.full = False

    def __getattr__(self, name: str) -> Any:
        if self.down or self.full:
            raise StoreUnavailable("down")
        return getattr(self._keys, name)

    def read_keys(self) -> KeySet:
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        return self._keys.read_keys()


def rings_of(keys: Any, clock: HandClock, monotonic: Clock | None = None) -> Callable[..., KeyRing]:
    """Return a function that makes the ring of a worker; all rings share the clocks."""
    usual = {"algorithm": "ES256", "lifetime": None, "lead": LEAD, "secret": None}
    return lambda **options: KeyRing(keys, clock, monotonic or clock, **{**usual, **options})
