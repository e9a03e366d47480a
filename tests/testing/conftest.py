from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from webtest import TestApp

from helpers.support import bearer, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware
from oauth_mw.testing import Sandbox, sandbox

RULES = [("GET", "/reports/*", "reports:read"), ("*", "/reports/*", "reports:write")]


@pytest.fixture
def production(store_url: str) -> Callable[..., OAuthMiddleware]:
    """Wrap an app as a user does, around a store of its own."""

    def wrap(app: Any = echo, **options: Any) -> OAuthMiddleware:
        return OAuthMiddleware(app, store=store_url, **{"required_scopes": RULES, **options})

    return wrap


@pytest.fixture
def middleware(production: Callable[..., OAuthMiddleware]) -> OAuthMiddleware:
    return production()


@pytest.fixture
def oauth(middleware: OAuthMiddleware) -> Iterator[Sandbox]:
    with sandbox(middleware) as opened:
        yield opened


@pytest.fixture
def get() -> Callable[..., Any]:
    """The answer of an app to a GET, with a token."""

    def get(app: Any, token: str, path: str = "/reports", **environ: Any) -> Any:
        client: TestApp = CheckedApp(app, extra_environ=environ)
        return client.get(path, headers=bearer(token), status="*")

    return get
