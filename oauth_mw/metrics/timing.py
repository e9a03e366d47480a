"""A store whose calls are timed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from ..errors import StoreUnavailable
from ..protocols import Store
from .counts import OPERATIONS, Counts


class TimedStore:
    """A store as it is, but for the calls of ``OPERATIONS``, of which the time and the failures are counted."""

    def __init__(self, store: Store, counts: Counts) -> None:
        self._store = store
        for name in OPERATIONS:
            setattr(self, name, _timed(getattr(store, name), name, counts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _timed(call: Callable[..., Any], name: str, counts: Counts) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        began = perf_counter()
        try:
            return call(*arguments, **named)
        except StoreUnavailable:
            counts.errors[name,] += 1
            raise
        finally:
            counts.latencies[name].add(perf_counter() - began)

    return timed
