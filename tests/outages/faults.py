"""The table of faults. Each really breaks an engine, and mends it again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

WRITES = frozenset({"issue", "revoke", "change"})
READS = frozenset({"introspect", "first check", "cached check"})


@dataclass(frozen=True)
class Fault:
    """What can go wrong with a site.

    :param strikes: makes of a site a context manager: broken within, mended afterwards.
    :param stops: the operations that the store cannot do meanwhile. All others go on.
    :param waits: who meets it waits until the timeout.
    :param at_start: a worker that starts meanwhile comes up all the same.
    """

    strikes: Callable[[Any], AbstractContextManager[object]]
    stops: frozenset[str] = WRITES | READS
    waits: bool = False
    at_start: bool = False


def every_fault(wanted: Callable[[Fault], bool] = lambda fault: True) -> pytest.MarkDecorator:
    """Run a test with each fault of each engine that is ``wanted``."""
    from sqlite_faults import SQLITE, SQLITE_WITHOUT_FCNTL

    tables = {"sqlite": SQLITE, "sqlite without fcntl": SQLITE_WITHOUT_FCNTL}
    cases = [
        pytest.param(engine, fault, id=f"{engine}: {name}")
        for engine, table in tables.items()
        for name, fault in table.items()
        if wanted(fault)
    ]
    return pytest.mark.parametrize(("engine", "fault"), cases)
