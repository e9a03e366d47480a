"""A pytest plugin with the fixture ``oauth``. It is loaded by name only, in the topmost ``conftest.py``::

    import pytest

    from myapp import create_app

    pytest_plugins = ["oauth_mw.testing.pytest"]

    @pytest.fixture
    def app():
        return create_app()

and each test that uses ``oauth`` has a store and a clock of its own::

    def test_a_reader_may_not_write(oauth, app):
        client = oauth.authorize(app.test_client(), scope="reports:read")

        assert client.post("/reports").status_code == 403

In a Django project no fixture ``app`` is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .sandboxes import Sandbox, sandbox


@pytest.fixture
def oauth_app(request: pytest.FixtureRequest) -> Any:
    """The app for :func:`oauth`: the fixture ``app``; ``None``, for Django's setting, if there is no such fixture.

    Override it where the app's fixture has another name, or the app cannot be searched for its middleware.
    """
    try:
        return request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":  # what the fixture app itself needs
            raise
        return None


@pytest.fixture
def oauth(oauth_app: Any) -> Iterator[Sandbox]:
    """A :class:`~oauth_mw.testing.Sandbox` of the app's middleware, with an empty store, until the end of the test."""
    with sandbox(oauth_app) as opened:
        yield opened
