"""The table of faults. Each really breaks an engine, and mends it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from places import why_no_wheel

WRITES = frozenset({"issue", "revoke", "change"})
READS = frozenset({"introspect", "first check", "cached check"})
LATE_SECONDS = 1.2  # more than any of the timeouts here


@dataclass(frozen=True)
class Fault:
    """What can go wrong with a site.

    :param strikes: makes of a site a context manager: broken within, mended afterwards.
    :param stops: the operations that the store cannot do meanwhile. All others go on.
    :param waits: who meets it waits until the timeout.
    :param at_start: a worker that starts meanwhile comes up all the same.
    :param rare: for the slow run alone.
    """

    strikes: Callable[[Any], AbstractContextManager[object]]
    stops: frozenset[str] = WRITES | READS
    waits: bool = False
    at_start: bool = False
    rare: bool = False


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
    """Each answer comes when nobody waits for it any more."""
    running: AbstractContextManager[None] = site.network.late(LATE_SECONDS)
    return running


def every_fault(wanted: Callable[[Fault], bool] = lambda fault: True) -> pytest.MarkDecorator:
    """Run a test with each fault of each engine that is ``wanted``; the rare ones only in the slow run."""
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
    cases = [
        pytest.param(engine, fault, id=f"{engine}: {name}", marks=_marks(engine, fault.rare or "without" in engine))
        for engine, table in tables.items()
        for name, fault in table.items()
        if wanted(fault)
    ]
    return pytest.mark.parametrize(("engine", "fault"), cases)


def on_servers(*engines: str, slow: bool = False) -> list[Any]:
    """Values of the parameter ``engine``: all servers, if none is named."""
    return [pytest.param(engine, marks=_marks(engine, slow)) for engine in engines or ("postgresql", "redis")]


def _marks(engine: str, slow: bool) -> list[pytest.MarkDecorator]:
    kind = engine.partition(" ")[0]
    reason = "" if kind == "sqlite" else why_no_wheel(kind)
    return [pytest.mark.skipif(bool(reason), reason=reason)] * bool(reason) + [pytest.mark.slow] * slow
