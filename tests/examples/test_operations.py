"""The dashboard and the alert rules name what there is. tests/servers/test_servers_prometheus.py evaluates them."""

from __future__ import annotations

import json
import re
import runpy
from types import SimpleNamespace
from xml.etree import ElementTree

import click
import pytest
import yaml
from running_example import EXAMPLES

from oauth_mw.cli import main
from oauth_mw.config import OPTIONS
from oauth_mw.metrics.names import HISTOGRAM, NAMES

FOLDER = EXAMPLES / "operations"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
(GROUP,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}
CASES = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]

# Of a histogram Prometheus has three series.
SERIES = {
    each.name + end for each in NAMES for end in (("_bucket", "_count", "_sum") if each.kind == HISTOGRAM else ("",))
}


def named(expressions):
    return set(re.findall(r"oauth_mw_\w+", " ".join(expressions)))


def test_the_dashboard_shows_all_metrics_and_no_others():
    shown = named(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])

    assert shown == SERIES


def test_alerts_are_of_metrics_that_there_are():
    assert named(rule["expr"] for rule in RULES.values()) <= SERIES
    assert named(series["series"] for case in CASES for series in case["input_series"]) <= SERIES


def test_labels_are_those_of_the_metrics():
    labels = {"job", "instance", "le", "alertname", "alertstate"}.union(*(each.labels for each in NAMES))
    text = " ".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yml")) + json.dumps(DASHBOARD)

    assert set(re.findall(r"""(\w+)(?:=~|!=|=)\\?["]""", text)) - {"severity"} <= labels


def test_panels_lie_side_by_side_in_24_columns():
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]

    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_each_alert_is_shown_to_fire_and_not_to_fire():
    firing = {
        name
        for case in CASES
        for each in case.get("promql_expr_test", ())
        for name in re.findall(r'alertname="(\w+)"', each["expr"])
        if each["exp_samples"]
    }
    quiet = {
        each["alertname"] for case in CASES for each in case.get("alert_rule_test", ()) if each["exp_alerts"] == []
    }

    assert firing == quiet == RULES.keys()


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_says_what_to_do(alert):
    text = RULES[alert]["annotations"]["description"]

    for line in re.findall(r"`oauth-mw ([^`]+)`", text):
        command: click.Command = main
        for word in line.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
                assert command, line
            elif word.startswith("-"):
                assert any(word in each.opts for each in command.params), line
    options = re.findall(r"\b[a-z]+(?:_[a-z]+)*_(?:seconds|size|lifetime)\b", text)
    assert {*options} <= OPTIONS.keys()
    assert len(text) > 150


def test_the_page_lists_the_alerts():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(OAuth\w+)` \|", page, re.MULTILINE) == [*RULES]


# The plot

PLOT = SimpleNamespace(**runpy.run_path(str(FOLDER / "plot.py")))
RUN = SimpleNamespace(**runpy.run_path(str(FOLDER / "run.py")))


def test_the_plot_is_what_the_script_draws():
    drawn = PLOT.picture()

    assert (FOLDER / "run.svg").read_text(encoding="utf-8") == drawn
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"


def counted(run, begin, end):
    """By how much each number has grown between two times of a run."""
    samples = [each for each in run["samples"] if begin <= each["t"] <= end]
    return {name: samples[-1][name] - samples[0][name] for name in samples[0]}


def check_run(run):
    """The run shows load, the outage, and its end."""
    begin, end = run["outage"]
    before, after = counted(run, 0, begin), counted(run, end + 1, run["samples"][-1]["t"])
    during = counted(run, begin + run["grace"] + 5, end)
    for each in (before, after):
        assert min(each[name] for name in ("accepted", "refused", "issued", "revoked")) > 0
    assert during["unavailable"] > 0
    assert (during["accepted"], during["issued"], during["revoked"]) == (0, 0, 0)


def test_the_run_that_is_drawn_shows_an_outage_and_its_end():
    check_run(json.loads((FOLDER / "run.json").read_text(encoding="utf-8")))


@pytest.mark.long
def test_a_run_shows_an_outage_and_its_end():
    check_run(RUN.record(30.0, (6.0, 22.0)))
