from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp


@pytest.fixture
def metered(wrap: Callable[..., TestApp], client: str) -> Callable[..., TestApp]:
    """``echo`` behind the middleware, with the client registered and metrics that need no token."""

    def wrapped(**options: Any) -> TestApp:
        return wrap(metrics_path="/metrics", **{"public_paths": ["/metrics", "/open"], **options})

    return wrapped
