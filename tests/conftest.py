from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import settings
from webtest import TestApp
from wsgi_client import CheckedApp

from oauth_mw import OAuthMiddleware, admin, assembly, open_store
from oauth_mw.model import Store

# The plain run tries the same examples every time; --hypothesis-profile=search looks for new ones.
settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=3000)
settings.load_profile("fixed")

SECRET = "7Kq2vX9mB4tR8wZ1nC5y"


class HandClock:
    """A clock that moves only by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any, clock: HandClock) -> Iterator[Store]:
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/oauth.db"}[request.param]
    opened = open_store(url, create=True, clock=clock)
    yield opened
    opened.close()


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The app behind the middleware: says who calls."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"MARKER {environ.get('oauth_mw.client_id')} {environ.get('oauth_mw.scope')}".encode()]


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


def basic(client_id: str, secret: str, *, raw: bool = False) -> dict[str, str]:
    """A Basic header, form-encoded as RFC 6749 §2.3.1 says, or raw as curl sends it."""
    pair = f"{client_id}:{secret}" if raw else f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def issue(app: TestApp, client_id: str = "tester", secret: str = SECRET, **form: str) -> str:
    """A token of the client."""
    form = {"grant_type": "client_credentials", **form}
    token: str = app.post("/oauth/token", form, headers=basic(client_id, secret)).json["access_token"]
    return token
