from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faults import Fault
from service import Service
from sqlite_site import SQLiteSite, without_fcntl
from support import SECRET, HandClock, echo

from oauth_mw import OAuthMiddleware, assembly, open_store

SITES = {"sqlite": SQLiteSite, "sqlite without fcntl": without_fcntl}
BUSY = 0.9  # seconds by which a machine that runs other tests may be late


@pytest.fixture
def ticks() -> HandClock:
    """The monotonic clock of the middleware. The waits of a store are real."""
    return HandClock()


@pytest.fixture
def timeout() -> float:
    """``store_timeout_seconds``"""
    return 0.1


@pytest.fixture
def site(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An engine that a fault can strike, with a store on it at ``url``."""
    with SITES[engine](tmp_path, monkeypatch) as site:
        yield site


@pytest.fixture
def outage(fault: Fault, site: Any) -> AbstractContextManager[object]:
    """``with`` it, the site is out of order."""
    return fault.strikes(site)


@pytest.fixture
def start(
    site: Any,
    clock: HandClock,
    ticks: HandClock,
    timeout: float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Callable[..., Service]]:
    """Start a worker on the site's store. What it wrote to the log, and how long it took, is judged at the end."""
    build = assembly.build
    services: list[Service] = []
    monkeypatch.setattr("oauth_mw.middleware.build", lambda app, options: build(app, options, clock))
    monkeypatch.setattr("oauth_mw.assembly.time", SimpleNamespace(monotonic=ticks))
    caplog.set_level("INFO")

    def start(**options: Any) -> Service:
        store = open_store(site.url, create=True, timeout=timeout, clock=clock, unavailable=lambda error: None)
        app = OAuthMiddleware(echo, store=store, store_timeout_seconds=timeout, **options)
        services.append(Service(app, store, ticks))
        return services[-1]

    yield start
    secrets = [SECRET, *(token for service in services for token in service.issued)]
    assert not [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert not [secret for secret in secrets if secret in caplog.text]  # L-02
    assert max(service.slowest for service in services) < timeout + BUSY
    for service in services:
        service.store.close()


@pytest.fixture
def service(site: Any, start: Callable[..., Service]) -> Service:
    """A worker that has served for a while."""
    service = start()
    site.serves(service)
    service.prepare()
    return service
