"""The numbers that are served: those of this process, and those of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..config import Settings
from ..model import Clock
from ..tokens.cache import TokenCache
from . import KeyTimes, names
from .counts import Counts, Labels
from .looks import Looks
from .names import Name

MAX_EVENTS = 100_000  # that are counted, so that the count of a long log is no burden
COUNT_SECONDS = 60.0  # between two counts of the log

Values = Mapping[Labels, float]


class Worker:
    """The numbers of this process."""

    def __init__(self, counts: Counts, cache: TokenCache, settings: Settings) -> None:
        self.counts = counts
        self.cache = cache
        self._clients = (names.CLIENT,) if settings.metrics_client_ids else ()
        formats = ("opaque", "jwt") if settings.issuer else ("opaque",)
        # From the start, so that a rate shows the first one, too.
        self._issued: Values = {} if self._clients else {(each,): 0 for each in formats}

    def labels(self, name: Name) -> Labels:
        return name.labels + (self._clients if name in (names.ISSUED, names.REFUSALS) else ())

    def counters(self) -> Iterator[tuple[Name, Values]]:
        counts = self.counts
        yield names.ISSUED, {**self._issued, **counts.issued.copy()}
        yield names.REVOKED, {(): counts.revoked}
        yield names.REFUSALS, counts.refusals.copy()
        yield names.CHECKS, counts.checks()
        yield names.ACCEPTED, {(client,): count for client, count in counts.accepted_of.copy().items()}
        yield names.HITS, {(): counts.hits()}
        yield names.MISSES, {(): counts.reads}
        yield names.ERRORS, counts.errors.copy()

    def gauges(self) -> Iterator[tuple[Name, float]]:
        yield names.CACHED, self.cache.cached_tokens
        yield names.SIZE, self.cache.size
        yield names.BEHIND, self.cache.behind()

    def latencies(self) -> Iterator[tuple[str, Sequence[int], float]]:
        """Yield the name of each operation, its counts and its seconds."""
        for name, each in self.counts.latencies.items():
            if any(each.counts):
                yield name, list(each.counts), each.seconds


class StoreView:
    """What all processes see alike: the store, as of a look a moment ago.

    :param key_times: see :meth:`oauth_mw.metrics.Meter.apps`.
    :param clock: Unix seconds.
    """

    def __init__(self, cache: TokenCache, key_times: KeyTimes | None, clock: Clock) -> None:
        self._cache = cache
        self._key_times = key_times
        self._clock = clock
        self._events: int | None = None
        self._next_count = float("-inf")
        self._made: Mapping[str, int] = {}
        self.looks = Looks(self._look, cache.monotonic)

    def _look(self) -> None:
        self._cache.refresh()
        if self._key_times is not None:
            self._made = self._key_times()
        if (now := self._cache.monotonic()) >= self._next_count:
            self._events = self._cache.log.count_events(MAX_EVENTS)
            self._next_count = now + COUNT_SECONDS

    def gauges(self) -> Iterator[tuple[Name, Values]]:
        yield names.UP, {(): self.looks.is_up()}
        if self._events is not None:
            yield names.EVENTS, {(): self._events}
        now = self._clock()
        yield names.AGE, {(kid,): max(now - made, 0) for kid, made in self._made.items()}
