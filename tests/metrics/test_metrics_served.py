"""Where the metrics are served, in which format, and beside which others."""

from __future__ import annotations

import gc
import inspect
import os
import re
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from helpers.pages import read
from helpers.scraping import scraped
from helpers.support import bearer, issue
from helpers.wsgi_client import make_environ
from oauth_mw.guard import Guard
from oauth_mw.metrics.checking import CountingCache
from oauth_mw.metrics.names import COUNTER, NAMES
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.formats import Formats

STORE_KINDS = ["memory"]


# Where it is served


def test_a_token_with_the_scope_of_the_rule_reads_the_metrics(wrap, client):
    app = wrap(metrics_path="/metrics", required_scopes=["GET /metrics read"])

    answer = app.get("/metrics", headers=bearer(issue(app)))

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store" and "oauth_mw_store_up 1.0" in answer.text


@pytest.mark.parametrize(("scope", "status"), [(None, 401), ("write", 403)])
def test_other_requests_are_refused_as_by_the_guard(wrap, client, scope, status):
    app = wrap(metrics_path="/metrics", required_scopes=["GET /metrics read"])

    answer = app.get("/metrics", headers=bearer(issue(app, scope=scope)) if scope else {}, status=status)

    assert 'scope="read"' in answer.headers["WWW-Authenticate"] and "oauth_mw_" not in answer.text


def test_head_is_get_without_its_body(metered):
    app = metered()
    app.get("/metrics")

    answer = app.head("/metrics")

    assert answer.body == b"" and int(answer.headers["Content-Length"]) > 1000


def test_other_methods_are_refused(metered):
    answer = metered().post("/metrics", status=405)

    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_path_below_it_is_the_apps(metered):
    app = metered(public_paths=["/metrics/*"])

    assert "MARKER" in app.get("/metrics/x") and "MARKER" in app.get("/metrics/")


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_without_metrics_path_the_path_is_the_apps_and_nothing_is_wrapped(wrap, store):
    app = wrap(public_paths=["/metrics"])

    parts = app.app.parts
    assert "MARKER" in app.get("/metrics")
    assert type(parts.check.__self__) is Guard and type(parts.check.__self__.tokens) is TokenCache
    assert isinstance(parts.token_endpoint.issue.__self__, Formats) and parts.check.__self__.tokens.log is store


def test_a_cache_that_counts_decides_as_the_other_one_does():
    decision, _, _ = inspect.getsource(TokenCache.cached).partition("        token = ")

    assert decision.partition('"""\n')[2] in inspect.getsource(CountingCache.cached)


# In which format


FORMATS = {
    "nothing": ("", "text/plain"),
    "anything": ("*/*", "text/plain"),
    "Prometheus 3": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1"
        ";q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text",
    ),
    "OpenMetrics alone": ("application/openmetrics-text", "application/openmetrics-text"),
    "in capitals": ("Application/OpenMetrics-Text ; Q=1.0", "application/openmetrics-text"),
    "text rather": ("text/plain, application/openmetrics-text;q=0.5", "text/plain"),
    "OpenMetrics never": ("application/openmetrics-text;q=0, */*", "text/plain"),
    "a browser": ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain"),
    "a malformed weight": ("application/openmetrics-text;q=high", "text/plain"),
    "a version that there is not": (
        "application/openmetrics-text;version=x;escaping=y",
        "application/openmetrics-text",
    ),
    "garbage": (";;,=,q=1;\xff", "text/plain"),
}


@pytest.mark.parametrize(("accept", "media_type"), FORMATS.values(), ids=FORMATS)
def test_openmetrics_is_served_to_a_scraper_that_names_it(metered, accept, media_type):
    answer = metered().get("/metrics", headers={"Accept": accept})

    assert answer.content_type == media_type and answer.headers["Vary"] == "Accept"
    parse = parse_text if media_type == "text/plain" else parse_openmetrics
    served = {family.name: family.type for family in parse(answer.text)}
    expected = {name.name.removesuffix("_total"): name.kind for name in NAMES}
    assert {name: kind for name, kind in served.items() if name.startswith("oauth_mw_")} == expected


def test_each_thread_counts(metered):
    app = metered()
    token, environs = issue(app), [make_environ("GET", "/x") for _ in range(8)]
    for environ in environs:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def work(environ):
        for _ in range(500):
            app.app(environ, lambda *answer: None)
            app.app({**environ, "HTTP_AUTHORIZATION": "Basic x"}, lambda *answer: None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, environs))
    finally:
        sys.setswitchinterval(before)

    found = scraped(app)
    assert (found["oauth_mw_checks_total", "accepted"], found["oauth_mw_checks_total", "refused"]) == (4000, 4000)
    assert found["oauth_mw_refusals_total", "guard", "missing_token"] == 4000
    assert 3992 <= found["oauth_mw_cache_hits_total",] < 4000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_begins_with_no_counts(metered):
    app = metered()
    issue(app)
    reading, writing = os.pipe()

    if not (child := os.fork()):
        os.write(writing, str(scraped(app)["oauth_mw_tokens_issued_total", "opaque"]).encode())
        os._exit(0)

    assert os.read(reading, 10) == b"0.0" and os.waitpid(child, 0)[1] == 0
    assert scraped(app)["oauth_mw_tokens_issued_total", "opaque"] == 1
    os.close(reading), os.close(writing)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_refusal_that_is_counted_keeps_nothing_of_its_request(metered, scheme):
    app, socket = metered(metrics_client_ids=True).app, Socket()
    environ = make_environ("GET", "/x")
    kept = weakref.ref(socket)
    gc.disable()
    try:
        app({**environ, "HTTP_AUTHORIZATION": f"{scheme} x", "socket": socket}, lambda *answer: None)
        del socket
        assert kept() is None
    finally:
        gc.enable()


class Socket:
    """What a server puts into the environ."""


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_scrape_of_one_of_several_processes_is_warned_of_once(metered, caplog):
    app = metered()

    for _ in range(2):
        app.get("/metrics", extra_environ={"wsgi.multiprocess": True})

    assert [each.levelname for each in caplog.records if "PROMETHEUS_MULTIPROC_DIR" in each.message] == ["WARNING"]


# Beside which others


def test_two_middlewares_count_by_themselves(metered):
    first, second = metered(), metered()
    issue(first)

    assert scraped(first)["oauth_mw_tokens_issued_total", "opaque"] == 1
    assert scraped(second)["oauth_mw_tokens_issued_total", "opaque"] == 0


@pytest.fixture
def gauge():
    gauge = Gauge("app_orders", "Of the app.")
    yield gauge
    REGISTRY.unregister(gauge)


def test_what_the_app_has_registered_is_served_too(metered, gauge):
    gauge.set(7)

    assert scraped(metered())["app_orders",] == 7


def test_a_collector_of_the_app_that_fails_hides_none_of_ours(metered, gauge, caplog):
    gauge.set_function(lambda: 1 / 0)

    found = scraped(metered())

    assert ("app_orders",) not in found and found["oauth_mw_store_up",] == 1
    assert "a collector of the app failed" in caplog.text


class Malformed:
    """A collector whose value is no number."""

    def collect(self):
        family = GaugeMetricFamily("app_orders", "Of the app.")
        family.add_metric([], "seven")
        yield family

    def describe(self):
        return []


def test_a_value_of_the_app_that_is_no_number_hides_none_of_ours(metered, caplog):
    malformed = Malformed()
    REGISTRY.register(malformed)
    try:
        found = scraped(metered())
    finally:
        REGISTRY.unregister(malformed)

    assert found["oauth_mw_store_up",] == 1
    assert "a collector of the app failed" in caplog.text


def test_the_help_and_type_of_each_name_is_served(metered):
    served = {family.name: family for family in parse_text(metered().get("/metrics").text)}

    assert all(name.name.endswith("_total") == (name.kind == COUNTER) for name in NAMES)
    assert [served[name.name.removesuffix("_total")].documentation for name in NAMES] == [name.help for name in NAMES]


def test_the_page_has_a_row_for_each_name():
    rows = [
        f"| `{name.name}` | {name.kind} | {' '.join(f'`{label}`' for label in name.labels)} | {name.help} |"
        for name in NAMES
    ]

    assert re.findall(r"^\| `oauth_mw_.*$", read("examples/operations/README.md"), re.MULTILINE) == rows
