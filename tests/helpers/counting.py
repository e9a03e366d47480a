"""A deployment whose metrics are counted by hand; they stand behind the guard, as those of the middleware do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from helpers.serving import serving
from helpers.support import SECRET
from oauth_mw import OAuthMiddleware, admin, open_store


class Metrics:
    """Counters, gauges and histograms of a registry by their names, made when they are first used."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Any] = {}

    def counter(self, name: str, **labels: str) -> Counter:
        return self._labelled(Counter, name, labels)

    def gauge(self, name: str, **labels: str) -> Gauge:
        return self._labelled(Gauge, name, labels)

    def histogram(self, name: str, **labels: str) -> Histogram:
        return self._labelled(Histogram, name, labels)

    def _labelled(self, kind: Any, name: str, labels: dict[str, str]) -> Any:
        if name not in self._made:
            self._made[name] = kind(f"oauth_mw_{name}", "Some.", [*labels], registry=self.registry)
        return self._made[name].labels(**labels) if labels else self._made[name]

    def count(self) -> None:
        """Some of each kind."""
        for outcome, number in {"accepted": 9, "refused": 1, "public": 0, "unavailable": 0}.items():
            self.counter("checks", outcome=outcome).inc(number)
        self.counter("tokens_issued", format="opaque").inc(2)
        self.counter("tokens_revoked").inc()
        self.counter("refusals", endpoint="guard", reason="expired_token").inc()
        self.counter("cache_hits").inc(8)
        self.counter("cache_misses").inc(2)
        self.gauge("cache_tokens").set(2)
        self.gauge("cache_size").set(10_000)
        self.gauge("store_up").set(1)
        for _ in range(2):
            self.histogram("store_seconds", operation="find_token").observe(0.004)
        self.counter("store_errors", operation="find_token").inc(0)
        self.gauge("revocation_log_events").set(3)
        self.gauge("revocation_log_behind_seconds").set(0.25)
        self.gauge("signing_key_age_seconds", kid="abc").set(172_800)


class Deployment:
    """A running deployment: the clients ``monitor`` and ``stranger``, of which the first one may read the metrics."""

    def __init__(self, url: str) -> None:
        self.metrics = Metrics()
        self.url = f"{url}/metrics"
        self.store = open_store("memory://")
        for name, scope in (("monitor", "metrics:read"), ("stranger", "other")):
            admin.add_client(self.store, name, client_id=name, secret=SECRET, scope=scope)
        self.guard()

    def guard(self, **options: object) -> None:
        """Guard the metrics with these options."""
        app = make_wsgi_app(self.metrics.registry)
        rules = ["GET /metrics metrics:read"]
        self.guarded = OAuthMiddleware(app, **{"store": self.store, "required_scopes": rules, **options})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.guarded(environ, start_response)


@contextmanager
def deployed() -> Iterator[Deployment]:
    with serving() as (url, set_app):
        deployment = Deployment(url)
        set_app(deployment)
        yield deployment
