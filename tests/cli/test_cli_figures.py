"""What is read in the metrics of a deployment."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from helpers.counting import Metrics
from oauth_mw.cli.figures import Refusal, Scrape, duration, figures, parse, quantile, rate, share


@pytest.fixture
def metrics():
    return Metrics()


def scraped(metrics, at=0.0):
    return Scrape(at, parse(generate_latest(metrics.registry).decode()))


def test_counts_are_those_since_the_start_and_rates_those_between_scrapes(metrics):
    accepted = metrics.counter("checks", outcome="accepted")
    accepted.inc(10)
    first = scraped(metrics)
    accepted.inc(30)
    last = scraped(metrics, 20.0)

    found = figures([first, last])

    assert (figures([last]).checks, figures([last]).seconds) == ({"accepted": 40.0}, None)
    assert (found.checks, found.seconds, found.per_second(30)) == ({"accepted": 30.0}, 20.0, 1.5)


def test_a_count_that_shrank_began_anew_with_a_worker(metrics):
    accepted, scrapes = metrics.counter("checks", outcome="accepted"), []
    for at, counted in ((0.0, 100), (1.0, 110), (2.0, 7)):
        accepted.reset()
        accepted.inc(counted)
        scrapes.append(scraped(metrics, at))

    assert figures(scrapes).checks == {"accepted": 17.0}


def test_a_reason_that_was_not_there_before_is_counted(metrics):
    first = scraped(metrics)
    metrics.counter("refusals", endpoint="guard", reason="expired").inc(2)

    assert figures([first, scraped(metrics, 1.0)]).refusals == [Refusal("guard", "expired", 2.0)]


def test_the_most_frequent_refusal_is_the_first_and_clients_are_added_up(metrics):
    for reason, client, count in (("rare", "a", 1), ("frequent", "a", 2), ("frequent", "b", 3), ("never", "a", 0)):
        metrics.counter("refusals", endpoint="guard", reason=reason, client_id=client).inc(count)

    assert figures([scraped(metrics)]).refusals == [Refusal("guard", "frequent", 5), Refusal("guard", "rare", 1)]


def test_the_state_of_several_workers_is_one(metrics):
    states = {
        "cache_tokens": (2, 3),
        "cache_size": (10, 10),
        "store_up": (1, 0),
        "revocation_log_events": (5, 4),
        "revocation_log_behind_seconds": (0.5, 9.0),
    }
    for name, values in states.items():
        for worker, value in enumerate(values):
            metrics.gauge(name, pid=worker).set(value)

    found = figures([scraped(metrics)])

    assert (found.cached, found.cache_size, found.store_up) == (5.0, 20.0, False)
    assert (found.log_events, found.log_behind) == (5.0, 9.0)


def test_what_is_not_there_is_not_known(metrics):
    found = figures([scraped(metrics)])

    assert (found.hit_share, found.cached, found.store_up, found.log_behind) == (None,) * 4
    assert (found.checks, found.refusals, found.operations, found.key_ages) == ({}, [], [], {})


def test_values_that_are_no_numbers_are_left_out(metrics):
    metrics.gauge("revocation_log_behind_seconds").set(float("nan"))
    metrics.gauge("cache_tokens").set(float("inf"))

    found = figures([scraped(metrics)])

    assert (found.log_behind, found.cached) == (None, None)


def test_the_latency_of_the_store_is_known_by_operation(metrics):
    seconds = metrics.histogram("store_seconds", operation="find_token")
    for value in [0.004] * 98 + [0.4] * 2:
        seconds.observe(value)
    metrics.counter("store_errors", operation="find_token").inc()

    (found,) = figures([scraped(metrics)]).operations

    assert (found.name, found.calls, found.failed, round(found.mean, 5)) == ("find_token", 100.0, 1.0, 0.01192)
    assert found.p50 < 0.005 and 0.25 < found.p99 <= 0.5


INF = float("inf")
# As Prometheus's histogram_quantile answers them.
QUANTILES = {
    "in the first bucket": (0.5, {1.0: 10.0, INF: 10.0}, 0.5),
    "in a later one": (0.75, {1.0: 10.0, 3.0: 20.0, INF: 20.0}, 2.0),
    "after an empty one": (0.5, {1.0: 0.0, 2.0: 4.0, INF: 4.0}, 1.5),
    "above the last bound": (0.99, {1.0: 1.0, INF: 100.0}, 1.0),
    "of nothing": (0.5, {1.0: 0.0, INF: 0.0}, None),
    "without buckets": (0.5, {}, None),
}


@pytest.mark.parametrize(("wanted", "buckets", "value"), QUANTILES.values(), ids=QUANTILES)
def test_a_quantile_lies_between_the_bounds_of_its_bucket(wanted, buckets, value):
    assert quantile(wanted, buckets) == value


def test_the_text_is_read_as_the_library_of_prometheus_reads_it(metrics):
    for reason in ("plain", 'a "quoted" one', "a \\ and\na line", "=,{}", "", "Zürich"):
        metrics.counter("refusals", endpoint="guard", reason=reason).inc(1.5)
    metrics.histogram("store_seconds", operation="find_token").observe(1e-7)
    metrics.gauge("store_up").set(1)
    text = generate_latest(metrics.registry).decode()

    families = text_string_to_metric_families(text)
    read = {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }

    assert len(read) > 20
    assert parse(text) == {
        (name.removeprefix("oauth_mw_"), tuple((label, text.replace("\n", "�")) for label, text in labels)): value
        for (name, labels), value in read.items()
        if name.startswith("oauth_mw_")
    }


@pytest.mark.parametrize(
    "hostile", ['oauth_mw_a{b="' + '\\"' * 300_000, "oauth_mw_a{" * 60_000, 'oauth_mw_a{b="c",' + 'd="e",' * 100_000]
)
def test_a_text_that_is_hard_to_read_takes_no_longer_than_others(hostile):
    began = time.process_time()

    assert parse(f'{hostile}\noauth_mw_checks_total{{outcome="accepted"}} 1') == {
        ("checks_total", (("outcome", "accepted"),)): 1.0
    }
    assert time.process_time() - began < 2  # the library took 20 s for the first


PIECES = ["oauth_mw_a", "_total", "{", "}", '"', "=", ",", " ", "\n", "1", "# TYPE ", "# HELP ", "\\", "counter", "NaN"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_any_text_is_read_or_has_none(text):
    assert all(isinstance(value, float) for value in parse(text).values())


def test_figures_are_short():
    assert [rate(value) for value in (None, 0.0, 0.04567, 12.345, 1234.5)] == ["", "0", "0.0457", "12.3", "1234"]
    assert [share(value) for value in (None, 0.0, 0.5, 0.99999, 1.0)] == ["", "0.0 %", "50.0 %", "99.9 %", "100 %"]
    shown = [duration(value) for value in (None, 0.0, 0.00012, 0.0123, 1.5, 90.0, 7200.0, 864000.0)]
    assert shown == ["", "0 s", "120 µs", "12.3 ms", "1.5 s", "90 s", "2 h", "10 days"]
