from __future__ import annotations

import pytest

from helpers.builders import registered


@pytest.fixture
def tester(store):
    store.add_client(registered())


@pytest.fixture
def other(store):
    store.add_client(registered("other"))
