from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from helpers.builders import opened
from helpers.postgres_intruder import Site, new_site
from helpers.postgres_raw import Raw
from helpers.store_urls import PostgresPlaces, own_postgres_places, why_no_wheel
from oauth_mw.protocols import Store


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresPlaces]:
    """A server that only these tests share, whatever the environment names: they create roles and databases there."""
    if reason := why_no_wheel("postgresql"):
        pytest.skip(reason)
    with own_postgres_places() as places:
        yield places


@pytest.fixture
def raw(postgres_url: str) -> Iterator[Raw]:
    with Raw(postgres_url) as raw:
        yield raw


@pytest.fixture
def listeners(raw: Raw) -> Callable[[], set[int]]:
    """Returns the server's processes that wake a worker of this test."""
    before = raw.listeners()  # those of other tests end with their threads
    return lambda: raw.listeners() - before


@pytest.fixture
def elsewhere(postgres_url: str) -> Iterator[Store]:
    """A store as another process uses it, with a client."""
    with opened(postgres_url) as store:
        yield store


@pytest.fixture
def site(own_postgres: PostgresPlaces) -> Iterator[Site]:
    """A schema that an intruder may create in."""
    with own_postgres.fresh() as url, new_site(url) as site:
        yield site
