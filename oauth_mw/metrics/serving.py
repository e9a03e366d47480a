"""The text that Prometheus reads, by prometheus-client."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from ..answers import EMPTY_BODY
from ..errors import OAuthError, ReadOnly
from ..rules import Access
from ..server import Refuse
from . import CheckRequest
from .copying import Copier
from .counts import BOUNDS
from .names import STORE
from .numbers import StoreView, Worker

PLAIN, OPENMETRICS = "text/plain", "application/openmetrics-text"
TYPES = {PLAIN: f"{PLAIN}; version=0.0.4; charset=utf-8", OPENMETRICS: openmetrics.CONTENT_TYPE_LATEST}
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)  # RFC 9110 §12.4.2

TRIES, PAUSE_SECONDS = 3, 0.01  # to read files that other processes are just making

log = logging.getLogger("oauth_mw")


class Unreadable(OAuthError):
    """The files of prometheus-client's multiprocess mode cannot be read."""

    status = "503 Service Unavailable"
    error = "temporarily_unavailable"
    description = "The metrics are unavailable for the moment, please retry"

    def headers(self) -> list[tuple[str, str]]:
        return [("Retry-After", "1")]


class MetricsApp:
    """Serves the metrics to requests that the guard passes.

    :param text: returns the text of a media type.
    :param check: the guard's.
    :param decide: what a method and path need.
    :param refuse_check: answers the requests that the guard refuses.
    :param refuse: answers those that are refused here.
    :param adds_up: the text is of all processes.
    """

    def __init__(
        self,
        text: Callable[[str], bytes],
        check: CheckRequest,
        decide: Callable[[str, str], Access],
        refuse_check: Refuse,
        refuse: Refuse,
        *,
        adds_up: bool,
    ) -> None:
        self._adds_up = adds_up
        self._text = text
        self._check = check
        self._decide = decide
        self._is_warned = False
        self._refuse_check = refuse_check
        self._refuse = refuse

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        try:
            self._check(environ, self._decide(method, environ.get("PATH_INFO", "")))
        except OAuthError as error:
            return self._refuse_check(error, environ, start_response)
        try:
            if method not in ("GET", "HEAD"):
                raise ReadOnly("neither GET nor HEAD")
            self._warn_of_several_processes(environ)
            media_type = chosen_type(environ.get("HTTP_ACCEPT", ""))
            text = self._text(media_type)
        except OAuthError as error:
            return self._refuse(error, environ, start_response)
        headers = [
            ("Content-Type", TYPES[media_type]),
            ("Content-Length", str(len(text))),
            ("Cache-Control", "no-store"),
            ("Vary", "Accept"),
        ]
        start_response("200 OK", headers)
        return EMPTY_BODY if method == "HEAD" else [text]

    def _warn_of_several_processes(self, environ: WSGIEnvironment) -> None:
        """Warn once if the server has several processes, each of which shows its own counts."""
        if environ.get("wsgi.multiprocess") and not (self._adds_up or self._is_warned):
            self._is_warned = True
            log.warning("metrics_path shows the counts of one of several processes: set PROMETHEUS_MULTIPROC_DIR")


def chosen_type(accept: str) -> str:
    """Return OpenMetrics if the header names it, with no less weight than plain text."""
    weights = {PLAIN: 0.0, OPENMETRICS: 0.0}
    for each in accept.split(","):
        media_type, *parameters = [part.strip(" \t").lower() for part in each.split(";")]
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if media_type in weights and _WEIGHT.fullmatch(weight):
            weights[media_type] = max(weights[media_type], float(weight))
    return OPENMETRICS if weights[OPENMETRICS] and weights[OPENMETRICS] >= weights[PLAIN] else PLAIN


class Exposition:
    """The metrics of one middleware as text, with those that the app has in prometheus-client's own registry.

    :param folder: of the files of all processes, in multiprocess mode: they hold the app's metrics, too.
    """

    def __init__(self, worker: Worker, view: StoreView, folder: str | None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Shared(view))
        self.copier = None if folder is None else Copier(worker, folder, view.looks.begin)
        if folder is None:
            self._registry.register(Own(worker))
            self._registry.register(OfApp())
        else:
            MultiProcessCollector(self._registry, folder)  # type: ignore[no-untyped-call]

    def text(self, media_type: str) -> bytes:
        """Return the text of a media type.

        :raises Unreadable: the files of the processes cannot be read.
        """
        if self.copier:
            self.copier.copy()
        encode = openmetrics.generate_latest if media_type == OPENMETRICS else generate_latest
        for left in reversed(range(TRIES)):
            try:
                return encode(self._registry)
            except Exception as error:
                if not left:
                    log.exception("the metrics cannot be read")
                    raise Unreadable(f"the metrics cannot be read ({type(error).__name__})") from None
                time.sleep(PAUSE_SECONDS)
        raise AssertionError  # the last try has returned or raised


class Shared:
    """A collector of what all processes see alike."""

    def __init__(self, view: StoreView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        for name, values in self._view.gauges():
            gauge = GaugeMetricFamily(name.name, name.help, labels=name.labels)
            for labels, value in values.items():
                gauge.add_metric(labels, float(value))
            yield gauge


class Own:
    """A collector of the numbers of this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        for name, values in self._worker.counters():
            counter = CounterMetricFamily(name.name, name.help, labels=self._worker.labels(name))
            for labels, count in values.items():
                counter.add_metric(labels, count)
            yield counter
        for name, value in self._worker.gauges():
            yield GaugeMetricFamily(name.name, name.help, value)
        latencies = HistogramMetricFamily(STORE.name, STORE.help, labels=STORE.labels)
        uppers = [*map(str, BOUNDS), "+Inf"]
        for operation, counts, seconds in self._worker.latencies():
            latencies.add_metric((operation,), list(zip(uppers, accumulate(counts), strict=True)), seconds)
        yield latencies


class _Found(CollectorRegistry):
    """A registry of what is collected already."""

    def __init__(self, found: Iterable[Metric]) -> None:
        super().__init__()
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


class OfApp:
    """A collector of what the app has registered. Its faults do not hide our metrics."""

    def collect(self) -> Iterable[Metric]:
        try:
            found = list(REGISTRY.collect())
            generate_latest(_Found(found))  # one value that is no number would fail the whole text
            return found
        except Exception:
            log.exception("a collector of the app failed, and none of the app's metrics are served")
            return []
