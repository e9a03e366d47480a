"""What the metrics of a deployment say: for ``oauth-mw report`` and ``oauth-mw top``."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from ..texts import unprintable

PREFIX = "oauth_mw_"
# The text format of Prometheus, version 0.0.4. Its own library takes a second for 1 MB, and minutes for a long label.
_TEXT = r'"((?:[^"\\]|\\.)*+)"'
_LABEL = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*)={_TEXT}")
_SAMPLE = re.compile(rf"{PREFIX}(?P<name>[a-zA-Z0-9_:]+)(?:{{(?P<labels>(?:{_LABEL.pattern},?)*+)}})? +(?P<value>\S+)")
_ESCAPED = re.compile(r"\\(.)")
_COUNTED = "_total", "_bucket", "_count", "_sum"  # how the names of series that only grow end

Series = tuple[str, tuple[tuple[str, str], ...]]  # a name, and its labels in order
Samples = Mapping[Series, float]


class Scrape(NamedTuple):
    """What one scrape found; ``at`` is in seconds of a clock that is never set back."""

    at: float
    samples: Samples


class Refusal(NamedTuple):
    """How often an endpoint (``guard``, ``token``, …) refused for a reason."""

    endpoint: str
    reason: str
    times: float


class Caller(NamedTuple):
    """How many requests and tokens a client got, and how often it was refused; only with ``metrics_client_ids``."""

    client_id: str
    accepted: float
    issued: float
    refused: float


class Operation(NamedTuple):
    """How often the store was called for something, and the seconds that it took.

    :ivar p50: what half of the calls took at most; ``p99`` is that of 99 %.
    :ivar failed: how many of the calls failed.
    """

    name: str
    calls: float
    mean: float | None
    p50: float | None
    p99: float | None
    failed: float


class Figures(NamedTuple):
    """The counts since the deployment was started, or of ``seconds``; and the state at the last scrape.

    What the deployment does not tell is ``None``, or missing in the mappings.
    """

    seconds: float | None
    checks: Mapping[str, float]
    issued: Mapping[str, float]
    revoked: float
    refusals: Sequence[Refusal]
    callers: Sequence[Caller]
    hits: float
    misses: float
    cached: float | None
    cache_size: float | None
    store_up: bool | None
    operations: Sequence[Operation]
    log_events: float | None
    log_behind: float | None
    key_ages: Mapping[str, float]

    @property
    def hit_share(self) -> float | None:
        """The share of checks of a token whose token was cached."""
        looked = self.hits + self.misses
        return self.hits / looked if looked else None

    def per_second(self, count: float) -> float | None:
        return count / self.seconds if self.seconds else None


def parse(text: str) -> Samples:
    """The metrics of oauth_mw in a text that Prometheus reads; none in another text. What is no number is left out.

    An answer may have many more lines, of the app or of something else: lines that are not ours cost next to nothing.
    """
    samples: dict[Series, float] = {}
    for line in text.split("\n"):
        found = _SAMPLE.match(line) if line.startswith(PREFIX) else None
        if found and math.isfinite(value := _number(found["value"])):
            labels = ((name, printable(_unescaped(text))) for name, text in _LABEL.findall(found["labels"] or ""))
            samples[found["name"], tuple(sorted(labels))] = value
    return samples


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text) if "\\" in text else text


def printable(text: str) -> str:
    """The text without what could control a terminal."""
    return "".join("�" if unprintable(each) else each for each in text) if unprintable(text) else text


def figures(scrapes: Sequence[Scrape]) -> Figures:
    """What one scrape counted since the deployment was started, or several between the first and the last of them."""
    last = scrapes[-1]
    several = len(scrapes) > 1
    counted = _increases(scrapes) if several else last.samples
    read = _Reader(counted, last.samples)
    up = read.each("store_up")
    return Figures(
        seconds=last.at - scrapes[0].at if several else None,
        checks=read.sums("checks_total", "outcome"),
        issued=read.sums("tokens_issued_total", "format"),
        revoked=read.total("tokens_revoked_total"),
        refusals=read.refusals(),
        callers=read.callers(),
        hits=read.total("cache_hits_total"),
        misses=read.total("cache_misses_total"),
        cached=_known(sum, read.each("cache_tokens")),
        cache_size=_known(sum, read.each("cache_size")),
        store_up=min(up) > 0 if up else None,
        operations=read.operations(),
        log_events=_known(max, read.each("revocation_log_events")),
        log_behind=_known(max, read.each("revocation_log_behind_seconds")),
        key_ages=read.key_ages(),
    )


def _known(combine: Callable[[Sequence[float]], float], values: Sequence[float]) -> float | None:
    return combine(values) if values else None


def _increases(scrapes: Sequence[Scrape]) -> Samples:
    """By how much each count has grown. One that shrank began anew at 0, with a worker that was started again."""
    grown: dict[Series, float] = defaultdict(float)
    for before, after in pairwise(scrapes):
        for series, value in after.samples.items():
            if series[0].endswith(_COUNTED):
                known = before.samples.get(series, 0.0)
                grown[series] += value - known if value >= known else value
    return grown


class _Reader:
    """Reads what has grown, and the state, by the names of series without their prefix.

    Series that differ in other labels, such as the id of a client or of a process, are added up.
    """

    def __init__(self, counted: Samples, state: Samples) -> None:
        self._counted = counted
        self._state = state

    def each(self, name: str) -> list[float]:
        return [value for (found, _), value in self._state.items() if found == name]

    def total(self, name: str) -> float:
        return sum((value for _, value in self._labelled(name)), 0.0)

    def sums(self, name: str, label: str) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for labels, value in self._labelled(name):
            sums[labels.get(label, "")] += value
        return dict(sums)

    def refusals(self) -> list[Refusal]:
        """The most frequent first."""
        sums: dict[tuple[str, str], float] = defaultdict(float)
        for labels, value in self._labelled("refusals_total"):
            sums[labels.get("endpoint", ""), labels.get("reason", "")] += value
        found = [Refusal(*names, count) for names, count in sums.items() if count]
        return sorted(found, key=lambda each: (-each.times, each))

    def callers(self) -> list[Caller]:
        """The most active first. A refusal whose client is not known has no place here."""
        names = "accepted_total", "tokens_issued_total", "refusals_total"
        counts = [self.sums(name, "client_id") for name in names]
        found = [Caller(each, *(count.get(each, 0.0) for count in counts)) for each in {*chain(*counts)} - {""}]
        return sorted((each for each in found if sum(each[1:])), key=lambda each: (-sum(each[1:]), each))

    def operations(self) -> list[Operation]:
        failed = self.sums("store_errors_total", "operation")
        counts, seconds = self.sums("store_seconds_count", "operation"), self.sums("store_seconds_sum", "operation")
        buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        for labels, value in self._labelled("store_seconds_bucket"):
            buckets[labels.get("operation", "")][_bound(labels.get("le", ""))] += value
        return [
            Operation(
                name,
                count,
                seconds.get(name, 0.0) / count if count else None,
                quantile(0.5, buckets[name]),
                quantile(0.99, buckets[name]),
                failed.get(name, 0.0),
            )
            for name, count in sorted(counts.items())
        ]

    def key_ages(self) -> dict[str, float]:
        ages: dict[str, float] = {}
        for (name, labels), age in self._state.items():
            if name == "signing_key_age_seconds":
                kid = dict(labels).get("kid", "")
                ages[kid] = max(age, ages.get(kid, age))
        return ages

    def _labelled(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for (found, labels), value in self._counted.items():
            if found == name:
                yield dict(labels), value


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """The value below which this share of the observations lies, as Prometheus's ``histogram_quantile`` estimates it.

    :param buckets: how many are at most as large as each bound; the largest bound is infinite.
    """
    bounds = sorted(buckets)
    count = buckets[bounds[-1]] if bounds else 0
    if not count:
        return None
    wanted, lower, below = share * count, 0.0, 0.0
    for bound in bounds:
        inside = buckets[bound] - below
        if buckets[bound] >= wanted and inside > 0:
            return lower if math.isinf(bound) else lower + (bound - lower) * (wanted - below) / inside
        lower, below = bound, buckets[bound]
    return lower


# How figures are written


def ordered(checks: Mapping[str, float]) -> list[tuple[str, float]]:
    """Checks by outcome: those that pass first."""
    rank = {name: place for place, name in enumerate(("accepted", "public", "refused", "unavailable"))}
    return sorted(checks.items(), key=lambda each: (rank.get(each[0], len(rank)), each[0]))


def rate(value: float | None) -> str:
    """Three digits, or those before the point."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float | None) -> str:
    """A percentage that is 100 only if all are meant."""
    if value is None:
        return ""
    return f"{min(value * 100, 99.9):.1f} %" if value < 1 else "100 %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, factor in ("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3):
        if seconds >= (2 if factor > 1 else 1) * factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"
