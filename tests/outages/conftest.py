from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faults import Fault
from service import Service
from sites import PostgresSite, RedisSite, Site, SQLiteSite, new_postgres, new_redis

from helpers.support import SECRET, HandClock, echo, middleware
from oauth_mw import ConfigError, StoreUnavailable, open_store

SERVERS = {"postgresql": PostgresSite, "redis": RedisSite}
BUSY = 0.9  # seconds by which a busy machine may be late; less than the timeouts of servers


@pytest.fixture(scope="session", autouse=True)
def drivers() -> None:
    """Import all drivers before a start is timed: that takes seconds on a busy machine."""
    for url in ("sqlite:////nowhere/oauth.db", "postgresql://127.0.0.1:1/db", "redis://127.0.0.1:1"):
        with suppress(ConfigError, StoreUnavailable):
            open_store(url)


@pytest.fixture
def ticks() -> HandClock:
    """The monotonic clock of the middleware. The waits of a store are real."""
    return HandClock()


@pytest.fixture
def timeout(engine: str, request: pytest.FixtureRequest) -> float:
    """``store_timeout_seconds``: shorter if requests wait until it is over."""
    if engine.startswith("sqlite"):
        return 0.1
    fault = request.node.callspec.params.get("fault")
    return 1.0 if fault and fault.waits else 2.0


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """One for all tests, as is Redis: each fault is undone."""
    with new_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Any]:
    with new_redis() as server:
        yield server


@pytest.fixture
def site(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site | SQLiteSite]:
    """An engine that a fault can strike, with a store on it at ``url``."""
    kind, _, where = engine.partition(" ")
    if kind in SERVERS:
        with SERVERS[kind](request.getfixturevalue(f"{kind}_server"), far=bool(where)) as site:
            yield site
    else:
        if where:  # as on Windows, without the counter file and the queue of writers
            monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.queueing", False)
        yield SQLiteSite(tmp_path, monkeypatch)


@pytest.fixture
def outage(fault: Fault, site: Any) -> AbstractContextManager[object]:
    """``with`` it, the site has the fault."""
    return fault.strikes(site)


@pytest.fixture
def form() -> dict[str, Any]:
    """The options for the form of tokens."""
    return {}


@pytest.fixture
def start(
    site: Any,
    form: dict[str, Any],
    clock: HandClock,
    ticks: HandClock,
    timeout: float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Callable[..., Service]]:
    """Start a worker on the site's store. At the end, check its log, and how long it took."""
    services: list[Service] = []
    stores: list[Any] = []

    def opened(*arguments: Any, **options: Any) -> Any:
        stores.append(open_store(*arguments, **options))
        return stores[-1]

    monkeypatch.setattr("oauth_mw.assembly.open_store", opened)
    monkeypatch.setattr("oauth_mw.assembly.time", SimpleNamespace(monotonic=ticks))
    monkeypatch.setattr("oauth_mw.keys.time", SimpleNamespace(monotonic=ticks))
    caplog.set_level("INFO")

    def start(**options: Any) -> Service:
        started = time.monotonic()
        app = middleware(echo, clock, store=site.url, store_timeout_seconds=timeout, **form, **options)
        services.append(Service(app, stores[-1], ticks))
        services[-1].slowest = time.monotonic() - started
        return services[-1]

    yield start
    for service in services:
        service.close()
    secrets = [SECRET, *(token for service in services for token in service.issued)]
    assert not [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert not [secret for secret in secrets if secret in caplog.text]  # L-02
    # Where the timeout is shorter than that, a second wait would not show.
    assert max(service.slowest for service in services) < timeout + (BUSY if timeout > BUSY else 3 * BUSY)


@pytest.fixture
def options() -> dict[str, Any]:
    """Further options of the worker."""
    return {}


@pytest.fixture
def service(site: Any, start: Callable[..., Service], options: dict[str, Any]) -> Service:
    """A worker that has served for a while."""
    service = start(**options)
    site.store = service.store
    service.prepare()
    return service
