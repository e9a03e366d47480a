from __future__ import annotations

import oauth_mw.webob  # noqa: F401  # before WebTest, which imports WebOb with its warning

# isort: split

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from webtest import TestApp

from helpers.builders import STORE_SUITE
from helpers.scratch import scratch
from helpers.store_urls import SHARED, PostgresPlaces, RedisPlaces, places, why_not
from helpers.support import SECRET, HandClock, echo, issue, middleware
from helpers.trail import at_once, handler, lines, trail  # noqa: F401  # fixtures
from helpers.wsgi_client import CheckedApp
from oauth_mw import admin, open_store
from oauth_mw.model import Sizes
from oauth_mw.protocols import Store

# What the tests start finds their helpers, too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.path.dirname(__file__), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", scratch())  # of tmp_path

# The plain run tries the same examples every time; --hypothesis-profile=search looks for new ones.
settings.register_profile("fixed", deadline=None, derandomize=True, database=None, max_examples=40)
settings.register_profile("search", deadline=None, max_examples=3000)
settings.load_profile("fixed")


@pytest.fixture(scope="session", autouse=True)
def byte_code(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Python is to leave no byte code, each process that a test starts would compile all that it imports."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("byte-code"))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def pytest_collection_finish() -> None:
    gc.freeze()  # the tests themselves are never garbage, and there are thousands of them to look through


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses ``store`` over STORE_SUITE in test_store_*.py, else over the module's STORE_KINDS, or SQLite."""
    marked = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark.args[0])}
    if "store_kind" in metafunc.fixturenames and "store_kind" not in marked:
        suite = metafunc.module.__name__.startswith("test_store_")
        cluster = pytest.param("redis+cluster", marks=pytest.mark.slow)
        metafunc.parametrize(
            "store_kind", [*STORE_SUITE, cluster] if suite else getattr(metafunc.module, "STORE_KINDS", ["sqlite"])
        )


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _shared(kind: str) -> Iterator[Any]:
    """What all tests share, with its ``url``. A test that does it harm starts one of its own."""
    if reason := why_not(kind):
        pytest.skip(reason)
    with places(kind) as found:
        yield found


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresPlaces]:
    """A PostgreSQL."""
    yield from _shared("postgresql")


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisPlaces]:
    """A Redis."""
    yield from _shared("redis")


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisPlaces]:
    """A Redis primary and its replica, watched over by Sentinels."""
    yield from _shared("redis+sentinel")


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisPlaces]:
    """A Redis Cluster."""
    yield from _shared("redis+cluster")


@pytest.fixture
def postgres_url(postgres: PostgresPlaces) -> Iterator[str]:
    """The store URL of a schema of the test's own."""
    with postgres.fresh() as url:
        yield url


@pytest.fixture
def redis_url(redis: RedisPlaces) -> Iterator[str]:
    """The store URL of a key prefix of the test's own."""
    with redis.fresh() as url:
        yield url


@pytest.fixture
def store_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    """Where nothing is yet. ``@pytest.mark.parametrize("store_kind", ["sqlite"])`` says of which kinds."""
    if store_kind in SHARED:
        with request.getfixturevalue(SHARED[store_kind]).fresh() as url:
            yield url
    else:
        yield {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/oauth.db"}[store_kind]


@pytest.fixture
def sizes() -> Sizes:
    return Sizes()


@pytest.fixture
def store(store_url: str, clock: HandClock, sizes: Sizes) -> Iterator[Store]:
    opened = open_store(store_url, create=True, clock=clock, sizes=sizes)
    yield opened
    opened.close()


@pytest.fixture
def wrap(store: Store, clock: HandClock) -> Callable[..., TestApp]:
    """Wrap an app (``echo`` by default) around the store, with the hand-moved clock."""
    return lambda app=echo, **options: CheckedApp(middleware(app, clock, store=store, **options))


@pytest.fixture
def client(store: Store, clock: HandClock) -> str:
    """The id of a client that may read and write; its secret is SECRET."""
    admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET, clock=clock)
    return "tester"


@pytest.fixture
def app(wrap: Callable[..., TestApp], client: str) -> TestApp:
    """``echo`` behind the middleware with its default options, and the client registered."""
    return wrap()


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Private keys are encrypted with few rounds of PBKDF2: those of a service take a tenth of a second."""
    monkeypatch.setattr("oauth_mw.keys.keypair.ROUNDS", 65_536)


@pytest.fixture
def token(app: TestApp) -> str:
    """A live token of the client."""
    return issue(app)
