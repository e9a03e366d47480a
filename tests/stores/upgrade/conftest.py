from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers import upgrading
from helpers.upgrading import FACTS


@pytest.fixture(scope="session")
def known() -> dict[str, Any]:
    """The options and secrets of the stores of schema 2, and what is in each kind."""
    return FACTS


@pytest.fixture
def facts(store_kind: str) -> dict[str, Any]:
    """What is in the store of schema 2."""
    return FACTS[store_kind]


@pytest.fixture
def old_url(store_url: str) -> str:
    """The URL of a store of schema 2."""
    upgrading.fill(store_url)
    return store_url


@pytest.fixture
def kept(tmp_path: Path) -> Any:
    """Call it for the copies that upgrades have kept of the SQLite database."""
    return lambda: sorted(tmp_path.glob("oauth.db.before-upgrade-*"))
