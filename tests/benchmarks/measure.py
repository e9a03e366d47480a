"""Measure variants side by side: round-robin, in many batches of about a millisecond, mostly in processor time.

So a noisy machine disturbs all alike. A longer batch would meet more of the noise than a short one, and time on the
wall would count the turns of other processes.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import thread_time_ns
from typing import Any

Environ = dict[str, Any]
Batch = Sequence[Environ]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

Times = Mapping[str, Sequence[float]]


@dataclass
class Variant:
    """What is measured: ``app``, called with an endless row of batches; ``status`` is what it must answer.

    ``clock`` counts nanoseconds: of this thread, or on the wall where another process does part of the work.
    """

    name: str
    app: App
    batches: Iterator[Batch]
    status: str = "200"
    clock: Callable[[], int] = thread_time_ns

    def check(self) -> None:
        """Fail where something else than meant would be measured."""
        for environ in next(self.batches):
            statuses: list[str] = []
            self.app(environ.copy(), lambda status, headers, seen=statuses: seen.append(status))
            if [status[:3] for status in statuses] != [self.status]:
                raise SystemExit(f"{self.name}: expected {self.status}, got {statuses}")

    def nanoseconds(self) -> float:
        """The time of one call in the next batch."""
        batch, app, clock = next(self.batches), self.app, self.clock
        started = clock()
        for environ in batch:
            app(environ.copy(), _start_response)
        return (clock() - started) / len(batch)


def _start_response(status: str, headers: list[tuple[str, str]]) -> None:
    """Take what a server would."""


def round_robin(variants: Sequence[Variant], rounds: int) -> Times:
    """Nanoseconds a call, by variant and round."""
    for variant in variants:
        variant.check()
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    order = list(variants)
    for _ in range(rounds):
        # Who runs after whom is left to chance: a neighbour can leave the processor's caches cold.
        random.shuffle(order)
        for variant in order:
            times[variant.name].append(variant.nanoseconds())
    gc.unfreeze()
    return times


def added(times: Times, name: str, without: str) -> list[float]:
    """What ``name`` adds to ``without``, by round."""
    return [mine - base for mine, base in zip(times[name], times[without], strict=True)]


def ratio(mine: Sequence[float], base: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return median(one / other for one, other in zip(mine, base, strict=True))
