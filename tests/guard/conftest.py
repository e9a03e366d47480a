from __future__ import annotations

from collections.abc import Callable

import pytest
from webtest import TestApp

from helpers.wsgi_client import Answer, call, make_environ


@pytest.fixture
def get(app: TestApp) -> Callable[..., Answer]:
    """GET a protected path with this Authorization value, whatever it holds."""
    return lambda value, **keys: call(app.app, make_environ("GET", "/any", HTTP_AUTHORIZATION=value, **keys))
