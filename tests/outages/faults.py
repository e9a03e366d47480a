"""The table of faults. Each really breaks an engine, and mends it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from helpers.jwts import JWT
from helpers.store_urls import why_no_wheel

WRITES = frozenset({"issue", "revoke", "change"})
READS = frozenset({"introspect", "first check", "cached check"})
JWTS_IN_EVERY_RUN = {("sqlite", "database moved"), ("redis", "killed")}
LATE_SECONDS = 1.2  # more than any of the timeouts here


@dataclass(frozen=True)
class Fault:
    """What can go wrong with a site.

    :param strikes: makes of a site a context manager: broken within, mended afterwards.
    :param stops: the operations that the store cannot do meanwhile. All others go on.
    :param waits: a request that meets it waits until the timeout.
    :param at_start: a worker that starts meanwhile comes up all the same.
    :param rare: for the slow run alone.
    :param of_jwts: what it stops where tokens are JWTs, if not the same. Issuing one writes nothing, as a rule.
    """

    strikes: Callable[[Any], AbstractContextManager[object]]
    stops: frozenset[str] = WRITES | READS
    waits: bool = False
    at_start: bool = False
    rare: bool = False
    of_jwts: frozenset[str] | None = None

    def among_jwts(self) -> Fault:
        stops = self.stops - {"issue"} if self.stops <= WRITES else self.stops
        return replace(self, stops=stops if self.of_jwts is None else self.of_jwts)


# Those of any server


@contextmanager
def stopped(site: Any) -> Iterator[None]:
    site.server.stop()
    try:
        yield
    finally:
        site.server.start()


@contextmanager
def killed(site: Any) -> Iterator[None]:
    site.server.kill()
    try:
        yield
    finally:
        site.server.start()


@contextmanager
def paused(site: Any) -> Iterator[None]:
    site.server.pause()
    try:
        yield
    finally:
        site.server.resume()


def late(site: Any) -> AbstractContextManager[None]:
    """Each answer comes when no request waits for it any more."""
    running: AbstractContextManager[None] = site.network.late(LATE_SECONDS)
    return running


def every_fault(
    wanted: Callable[[Fault], bool] = lambda fault: True, *, only: dict[str, Any] | None = None
) -> pytest.MarkDecorator:
    """Run a test with each fault of each engine that is ``wanted``; the rare ones, and JWTs, only in the slow run.

    :param only: the form that tokens have, if not each.
    """
    from postgres_faults import FAR_POSTGRES, POSTGRES
    from redis_faults import FAR_REDIS, REDIS
    from sqlite_faults import SQLITE, SQLITE_WITHOUT_FCNTL

    tables = {
        "sqlite": SQLITE,
        "sqlite without fcntl": SQLITE_WITHOUT_FCNTL,
        "postgresql": POSTGRES,
        "postgresql over a network": FAR_POSTGRES,
        "redis": REDIS,
        "redis over a network": FAR_REDIS,
    }
    cases = []
    for engine, name, fault in [(engine, *each) for engine, table in tables.items() for each in table.items()]:
        rare = fault.rare or "without" in engine
        if wanted(fault) and only != JWT:
            cases.append(pytest.param(engine, fault, {}, id=f"{engine}: {name}", marks=_marks(engine, rare)))
        if wanted(fault := fault.among_jwts()):
            jwt = f"{engine}: {name}, JWTs"
            marks = [*_marks(engine, False), *[pytest.mark.long] * ((engine, name) not in JWTS_IN_EVERY_RUN)]
            cases.append(pytest.param(engine, fault, JWT, id=jwt, marks=marks))
    return pytest.mark.parametrize(("engine", "fault", "form"), cases)


def on_servers(*engines: str, slow: bool = False) -> list[Any]:
    """Values of the parameter ``engine``: all servers, if none is named."""
    return [pytest.param(engine, marks=_marks(engine, slow)) for engine in engines or ("postgresql", "redis")]


def _marks(engine: str, slow: bool) -> list[pytest.MarkDecorator]:
    kind = engine.partition(" ")[0]
    reason = "" if kind == "sqlite" else why_no_wheel(kind)
    return [pytest.mark.skipif(bool(reason), reason=reason)] * bool(reason) + [pytest.mark.slow] * slow
