from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from support import SECRET, HandClock, echo
from webtest import TestApp
from wsgi_client import CheckedApp

from oauth_mw import OAuthMiddleware, admin, assembly, open_store
from oauth_mw.model import Store

# The plain run tries the same examples every time; --hypothesis-profile=search looks for new ones.
settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=3000)
settings.load_profile("fixed")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any, clock: HandClock) -> Iterator[Store]:
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/oauth.db"}[request.param]
    opened = open_store(url, create=True, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def wrap(store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TestApp]:
    """Wrap an app (``echo`` by default) around the store, with the hand-moved clock."""
    build = assembly.build
    monkeypatch.setattr("oauth_mw.middleware.build", lambda app, options: build(app, options, clock))

    def make(app: Any = echo, **options: Any) -> TestApp:
        return CheckedApp(OAuthMiddleware(app, store=store, **options))

    return make


@pytest.fixture
def client(store: Store, clock: HandClock) -> str:
    """The id of a client that may read and write; its secret is SECRET."""
    admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET, clock=clock)
    return "tester"
