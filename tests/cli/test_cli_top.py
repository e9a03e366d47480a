"""``top`` shows a running deployment on a terminal."""

from __future__ import annotations

import io
import re

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from helpers.counting import Metrics
from helpers.support import SECRET
from oauth_mw.cli.figures import Scrape, parse
from oauth_mw.cli.screen import Watched, drawn, line

URL = "https://api.example.com/metrics"


@pytest.fixture
def metrics():
    metrics = Metrics()
    metrics.count()
    return metrics


def scraped(metrics, at):
    return Scrape(at, parse(generate_latest(metrics.registry).decode()))


@pytest.fixture
def watched(metrics):
    return Watched(URL, [scraped(metrics, 0.0)])


def screen(watched, height=24):
    """What a terminal of 80 columns shows."""
    console = Console(width=80, height=height, file=io.StringIO())
    console.print(drawn(watched, height))
    return "\n".join(each.rstrip() for each in console.file.getvalue().splitlines())


SHOWN = """\
https://api.example.com/metrics
rates of the last 2 s, q ends
all checks █

CHECKS       PER S             REFUSED BY  REASON         PER MIN  TOTAL
accepted       4.5             guard       expired_token       30      2
public           0
refused        0.5             STORE       PER S    50 %     99 %  FAILED
unavailable      0             find_token      1  2.5 ms  4.95 ms       0
all              5

TOKENS          PER S  TOTAL
issued, opaque      1      4
revoked           0.5      2

STORE       up
CACHE HITS  80.0 %
CACHED      2, size 10000
LOG READ    250 ms ago
KEY         abc, 2 days old"""


def test_it_shows_rates_and_the_state(metrics, watched):
    metrics.count()

    assert screen(watched.after(scraped(metrics, 2.0))) == SHOWN


def test_80_columns_are_enough_for_long_reasons_and_keys(metrics, watched):
    metrics.counter("refusals", endpoint="guard", reason="too_many_requests").inc()
    metrics.gauge("cache_tokens").set(12_345)
    metrics.gauge("signing_key_age_seconds", kid="E0czDVfPGbfTSBTk4UVAQtq_UOp8iEl0mgErKQr1dmE").set(122)

    shown = screen(watched.after(scraped(metrics, 2.0)))

    assert "REFUSED BY  REASON             PER MIN  TOTAL" in shown and "guard       too_many_requests" in shown


def test_rates_are_those_of_the_last_ten_seconds(metrics, watched):
    for second in range(1, 31):
        watched = watched.after(scraped(metrics, float(second)))

    assert (len(watched.scrapes), len(watched.history)) == (11, 30)
    assert "rates of the last 10 s" in screen(watched)


def test_an_answer_that_is_missing_is_said_and_the_figures_stay(watched):
    shown = screen(watched.missing("it answers 503"))

    assert "it answers 503" in shown and "expired_token" in shown


def test_refusals_end_with_the_screen(metrics, watched):
    for number in range(30):
        metrics.counter("refusals", endpoint="guard", reason=f"reason_{number:02}").inc(number)

    shown = screen(watched.after(scraped(metrics, 1.0)))

    assert "reason_29" in shown and "reason_01" not in shown
    assert "more" in shown and len(shown.splitlines()) <= 24


@pytest.mark.parametrize(("height", "has_room"), [(40, True), (24, True), (12, False)])
def test_the_most_active_clients_are_shown_where_there_is_room(watched, height, has_room):
    counting = Metrics()
    for number in range(9):
        counting.counter("tokens_issued", format="opaque", client_id=f"client_{number}").inc(number)

    shown = screen(watched.after(scraped(counting, 60.0)), height)

    assert (bool(re.search("client_8 +0 +8 +0$", shown, re.MULTILINE)), "client_3" in shown) == (has_room, False)
    assert len(shown.splitlines()) <= max(height, 22)


def test_what_a_deployment_calls_itself_controls_no_terminal(metrics, watched):
    metrics.counter("refusals", endpoint="\x1b[2J", reason="[red]\x07").inc()

    shown = screen(watched.after(scraped(metrics, 1.0)))

    assert "\x1b" not in shown and "\x07" not in shown and "[red]" in shown


def test_the_course_is_drawn_to_its_highest_value():
    assert [line([]), line([0.0]), line([0.0, 5.0, 10.0])] == ["", "▁", "▁▅█"]


@pytest.fixture
def terminal(on_terminal, monkeypatch):
    """Run ``top`` on a terminal until this is shown, and type q; its exit code and what was shown."""
    monkeypatch.setenv("TERM", "xterm")

    def terminal(url, until):
        words = ["top", url, "--interval", "0.2"]
        exit_code, shown, _ = on_terminal(*words, answers=[(until, "q")], screen=True)
        return exit_code, shown.decode()

    return terminal


def test_q_ends_it(monitored, terminal):
    monitored.metrics.count()

    exit_code, shown = terminal(monitored.url, b"expired_token")

    assert (exit_code, SECRET in shown) == (0, False)


@pytest.mark.slow
def test_an_outage_is_waited_for(monitored, terminal):
    monitored.metrics.count()
    answers = iter([monitored.guarded] * 3)  # a token, and two scrapes

    def failing(environ, start_response):
        if app := next(answers, None):
            return app(environ, start_response)
        start_response("503 Service Unavailable", [])
        return []

    monitored.guarded = failing

    exit_code, shown = terminal(monitored.url, b"answers 503")

    assert (exit_code, "expired_token" in shown) == (0, True)


@pytest.mark.slow
def test_a_first_scrape_that_fails_ends_it(monitored, terminal, monkeypatch, on_terminal):
    monkeypatch.setenv("TERM", "xterm")

    exit_code, shown, _ = on_terminal("top", f"{monitored.url}/none", screen=True)

    assert (exit_code, b"is it the metrics_path?" in shown) == (1, True)
