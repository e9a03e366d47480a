from __future__ import annotations

import pytest

from helpers.support import HandClock
from oauth_mw.keys.ring import KeyRing
from oauth_mw.protocols import Store


@pytest.fixture
def ring(store: Store, clock: HandClock) -> KeyRing:
    return KeyRing(store, clock, clock, algorithm="ES256", lifetime=None, lead=300, secret=None)
