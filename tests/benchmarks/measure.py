"""Measure variants side by side: round-robin, in many batches of about a millisecond, mostly in processor time.

So a noisy machine disturbs all alike. A longer batch would meet more of the noise than a short one, and time on the
wall counts the turns of other processes. Where waiting is a part of the work, both clocks are shown.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import sqrt
from statistics import median, quantiles
from time import perf_counter_ns, thread_time_ns
from typing import Any, NamedTuple

Environ = dict[str, Any]
Batch = Sequence[Environ]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

Times = Mapping[str, Sequence[float]]


class Interval(NamedTuple):
    """A median, and between what it lies with 95 % certainty."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f}" + (f" ({self.low:.2f} to {self.high:.2f})" if self.low < self.high else "")


@dataclass
class Variant:
    """What is measured: ``app``, called with an endless row of batches; ``status`` is what it must answer.

    ``clock`` counts nanoseconds: of this thread, or on the wall where another process does part of the work. With
    several ``threads``, each calls ``app`` with a part of the batch, and ``clock`` must count for all of them.
    ``around`` is entered for each batch, and not measured itself.
    """

    name: str
    app: App
    batches: Iterator[Batch]
    status: str = "200"
    clock: Callable[[], int] = thread_time_ns
    threads: int = 1
    around: AbstractContextManager[object] = field(default_factory=nullcontext)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads)

    def check(self) -> None:
        """Fail where something else than meant would be measured."""
        with self.around:
            for environ in next(self.batches):
                statuses: list[str] = []
                self.app(environ.copy(), lambda status, headers, seen=statuses: seen.append(status))
                if [status[:3] for status in statuses] != [self.status]:
                    raise SystemExit(f"{self.name}: expected {self.status}, got {statuses}")

    def nanoseconds(self) -> float:
        """The time of one call in the next batch."""
        batch, clock = next(self.batches), self.clock
        parts = [batch[first :: self.threads] for first in range(self.threads)]
        with self.around:
            started = clock()
            if self.threads == 1:
                self._call(batch)
            else:
                list(self._pool.map(self._call, parts))
            return (clock() - started) / len(batch)

    def _call(self, batch: Batch) -> None:
        app = self.app
        for environ in batch:
            app(environ.copy(), _start_response)


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
        # The order is random, because a variant can leave the processor's caches cold for the next one.
        random.shuffle(order)
        for variant in order:
            times[variant.name].append(variant.nanoseconds())
    gc.unfreeze()
    return times


def one_by_one(app: App, environs: Iterable[Environ]) -> list[float]:
    """Seconds on the wall of each call: what is rare, and so hidden in a median, shows in the highest of them."""
    times = []
    for environ in environs:
        started = perf_counter_ns()
        app(environ.copy(), _start_response)
        times.append((perf_counter_ns() - started) / 1e9)
    return times


def added(times: Times, name: str, without: str) -> list[float]:
    """What ``name`` adds to ``without``, by round."""
    return [mine - base for mine, base in zip(times[name], times[without], strict=True)]


def interval(values: Iterable[float]) -> Interval:
    ordered = sorted(values)
    # Ranks around the middle, by the binomial distribution.
    middle, reach = len(ordered) // 2, round(sqrt(len(ordered)))
    return Interval(ordered[max(middle - reach, 0)], median(ordered), ordered[min(middle + reach, len(ordered) - 1)])


def ratio(mine: Sequence[float], base: Sequence[float]) -> Interval:
    """Of the rounds' ratios."""
    return interval(one / other for one, other in zip(mine, base, strict=True))


def microseconds(nanoseconds: Iterable[float]) -> Interval:
    return interval(each / 1000 for each in nanoseconds)


def percentile(values: Sequence[float], which: int) -> float:
    return quantiles(values, n=100)[which - 1]
