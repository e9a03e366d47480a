from __future__ import annotations

import pytest

from helpers.copying import new_places
from oauth_mw import open_store


@pytest.fixture
def kinds():
    """Of source and target, where what is tested is in no store."""
    return "sqlite", "sqlite"


@pytest.fixture
def place(request, tmp_path):
    with new_places(request, tmp_path) as place:
        yield place


@pytest.fixture
def stores(kinds, place, clock):
    """A source and a target, both empty."""
    source, target = (open_store(place(kind), create=True, clock=clock) for kind in kinds)
    yield source, target
    source.close()
    target.close()
