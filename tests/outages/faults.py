"""The table of faults. Each breaks a real engine, and repairs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
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
    """A fault of a site.

    :param strikes: returns a context manager for a site, which is broken within it.
    :param stops: the operations that the store cannot do meanwhile. All others work.
    :param waits: a request waits until the timeout.
    :param at_start: a worker that starts meanwhile comes up nevertheless.
    :param rare: for the slow run only.
    :param of_jwts: what it stops if tokens are JWTs, unless it is the same. Issuing a JWT usually writes nothing.
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


# Faults of any server


@contextmanager
def _between(site: Any, before: str, after: str) -> Iterator[None]:
    """Call two methods of the server, before and after."""
    getattr(site.server, before)()
    try:
        yield
    finally:
        getattr(site.server, after)()


stopped = partial(_between, before="stop", after="start")
killed = partial(_between, before="kill", after="start")
paused = partial(_between, before="pause", after="resume")


def late(site: Any) -> AbstractContextManager[object]:
    """Each reply arrives after the request has stopped waiting for it."""
    running: AbstractContextManager[object] = site.network.late(LATE_SECONDS)
    return running


def every_fault(
    wanted: Callable[[Fault], bool] = lambda fault: True, *, only: dict[str, Any] | None = None
) -> pytest.MarkDecorator:
    """Run a test with each fault of each engine that is ``wanted``; rare ones, and JWTs, only in the slow run.

    :param only: the only form of tokens.
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
