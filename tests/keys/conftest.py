from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from helpers.key_rings import Keys, rings_of
from helpers.support import HandClock
from oauth_mw.keys.ring import KeyRing
from oauth_mw.protocols import Store


@pytest.fixture
def keys(store: Store) -> Keys:
    return Keys(store)


@pytest.fixture
def ring(keys: Keys, clock: HandClock) -> Callable[..., KeyRing]:
    """Make the ring of a worker; time goes on for all of them together."""
    return rings_of(keys, clock)


@pytest.fixture
def soon(clock: HandClock) -> Callable[[], int]:
    return lambda: int(clock()) + 60


@pytest.fixture
def signs(soon: Callable[[], int]) -> Callable[[KeyRing], Any]:
    """The id of the key with which a ring signs now."""
    return lambda ring: ring.signing(soon()).kid
