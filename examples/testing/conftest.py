from __future__ import annotations

import pytest
from reports import app as reports_app

pytest_plugins = ["oauth_mw.testing.pytest"]


@pytest.fixture
def app():
    return reports_app
