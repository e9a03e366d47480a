from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers.remote_log import Scene
from helpers.support import HandClock
from oauth_mw.protocols import Store
from oauth_mw.tokens.cache import LogFollower


@pytest.fixture
def followed(store: Store, clock: HandClock) -> Callable[..., Scene]:
    """A cache over a distant log, and the thread that follows it."""
    return lambda **options: Scene(store, clock, **options)


@pytest.fixture
def make(followed: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """A cache over a log that only the test polls early."""
    monkeypatch.setattr(LogFollower, "start", lambda self: None)
    return followed
