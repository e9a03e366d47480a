from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp

from helpers.support import bearer
from oauth_mw import admin
from oauth_mw.protocols import Store

HERE = "192.0.2.7"

Send = Callable[..., Any]


@pytest.fixture
def limit(store: Store, client: str) -> Callable[..., None]:
    """Change the limits of the client."""
    return lambda **fields: admin.update_client(store, client, **fields) and None


@pytest.fixture
def send(app: TestApp, token: str) -> Send:
    """The answer to a request with the client's token."""

    def send(path: str = "/any", address: str = HERE, app: TestApp = app, **keys: str) -> Any:
        environ = {"REMOTE_ADDR": address, **keys}
        return app.get(path, headers=bearer(token), extra_environ=environ, expect_errors=True)

    return send
