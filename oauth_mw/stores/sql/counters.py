"""Counters in a SQL store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...model import COUNTER_KEEP_SECONDS, MAX_NUMBER, Clock, Count, Counted
from ..counters import full_places
from ..decoding import number, read
from . import statements
from .engine import SQLEngine

COUNTER = "a counter"


class _Full(Exception):
    """Rolls the transaction back."""


class SQLCounters:
    """Counts in one transaction, with or without a row of a token."""

    def __init__(self, engine: SQLEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def count(self, counts: Sequence[Count], row: Sequence[object] = ()) -> Counted:
        """
        :param row: the parameters of :data:`.statements.ADD_TOKEN`; empty to add none.
        """
        counted = Counted(())
        try:
            with self._engine.batch() as link:
                counted = self._counted(link.driver, counts)
                if counted.full:
                    raise _Full
                if row:
                    link.driver.execute(self._engine.compiled(statements.ADD_TOKEN), row)
                if 1 in counted.values:
                    over = int(self._clock()) - COUNTER_KEEP_SECONDS
                    link.driver.execute(self._engine.compiled(statements.REMOVE_COUNTERS), (over,))
        except _Full:
            pass
        return counted

    def _counted(self, driver: Any, counts: Sequence[Count]) -> Counted:
        values = dict.fromkeys(range(len(counts)), 0)
        before = dict(values)
        # In the order of the keys: of two transactions, none waits for a row of the other with a lock on a later one.
        for place, (key, limit, until) in sorted(enumerate(counts), key=lambda each: each[1].key):
            values[place], before[place] = self._one_more(driver, key, MAX_NUMBER if limit is None else limit, until)
        full = full_places(counts, list(before.values()))
        return Counted(tuple((before if full else values).values()), full)

    def _one_more(self, driver: Any, key: bytes, limit: int, until: int) -> tuple[int, int]:
        """The value of a counter, and what it was before; both are the same if it is full."""
        engine, row = self._engine, None
        if limit > 0:
            row = driver.execute(engine.compiled(statements.count(engine.upsert)), (key, until, limit)).fetchone()
        if row is not None:
            value = read(COUNTER, number, *row)
            return value, read(COUNTER, number, value - 1)
        row = driver.execute(engine.compiled(statements.READ_COUNTER), (key,)).fetchone()
        value = read(COUNTER, number, *(row or (0,)))
        return value, value
