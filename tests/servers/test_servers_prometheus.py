"""A real Prometheus reads the metrics of a real server, by the files of the page about operations."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest
import yaml
from hosting import SECRETS, Server, running
from wire import GRANT, ask, basic, bearer, issue, revoke

from helpers.engines_base import free_port, wait_until
from helpers.pages import ROOT, fence

pytestmark = pytest.mark.servers

FOLDER = ROOT / "examples" / "operations"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
OPTIONS: dict[str, object] = {
    "metrics_path": "/metrics",
    "metrics_client_ids": True,
    "required_scopes": ["GET /metrics read", "* /admin/* admin"],
    "public_paths": ["/health"],
    "token_format": "jwt",
    "issuer": "https://issuer.example.com",
    "audience": "https://api.example.com",
    "key_encryption_secret": "a secret that encrypts the keys of this test",
}
ROUNDS, ROUND_SECONDS = 6, 1.0
WAIT_SECONDS = 60


PAGE = "examples/operations/README.md"


def promtool(*words: str, folder: Path = FOLDER) -> str:
    if shutil.which("promtool") is None:
        pytest.fail("needs Debian's package prometheus")
    ended = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("line", fence(PAGE, "console", "$ promtool").splitlines())
def test_the_alert_rules_can_be_loaded_and_fire_where_they_should(line):
    assert "SUCCESS" in promtool(*line.removeprefix("$ promtool ").split())


def test_the_configuration_is_valid():
    assert "is valid" in promtool("check", "config", "--syntax-only", "prometheus.yml")


@contextmanager
def prometheus(server: Server, folder: Path) -> Iterator[Callable[..., Any]]:
    """Prometheus with the files of the page, over this server; a function that calls its API."""
    folder.mkdir()
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    host = server.url.removeprefix("http://")
    (folder / "secret").write_text(SECRETS["beta"])
    job["scheme"], job["static_configs"] = "http", [{"targets": [host]}]
    job["oauth2"] |= {
        "client_id": "beta",
        "client_secret_file": "secret",
        "token_url": f"{server.url}/oauth/token",
        "scopes": ["read"],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(FOLDER / "alerts.yml", folder)
    promtool("check", "config", "prometheus.yml", folder=folder)
    port = free_port()
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=output, stderr=output
        )
    opener = build_opener(ProxyHandler({}))

    def call(path: str, **parameters: object) -> Any:
        with opener.open(f"http://127.0.0.1:{port}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def is_up() -> bool:
        try:
            return any(each["health"] == "up" for each in call("targets")["activeTargets"])
        except OSError:
            return False

    try:
        wait_until(lambda: process.poll() is not None or is_up(), "a scrape", WAIT_SECONDS)
        assert process.poll() is None, (folder / "output").read_text()
        yield call
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def use(server: Server) -> None:
    """Some of all that is counted."""
    token = issue(server)
    for headers in (bearer(token), bearer(token), bearer("x" * 48), {}):
        ask(server, "GET", "/whoami", headers)
    ask(server, "GET", "/admin/x", bearer(token))
    ask(server, "GET", "/health")
    ask(server, "POST", "/oauth/token", basic("alpha", "wrong"), GRANT)
    revoke(server, token)


@contextmanager
def store_away(server: Server) -> Iterator[None]:
    path = Path(server.store_url.removeprefix("sqlite:///"))
    aside = path.rename(path.with_name("aside.db"))
    try:
        yield
    finally:
        aside.rename(path)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory) -> Iterator[tuple[Server, Callable[..., Any]]]:
    """A gunicorn with two workers after a little load and an outage of the store, and Prometheus over it."""
    folder = tmp_path_factory.mktemp("scraped")
    (folder / "counts").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder / "counts"))
        with running("gunicorn", folder, **OPTIONS) as server, prometheus(server, folder / "prometheus") as call:
            for _ in range(ROUNDS):
                use(server)
                time.sleep(ROUND_SECONDS)  # Prometheus computes rates from scrapes at its own times
            with store_away(server):
                ask(server, "POST", "/oauth/token", basic(), GRANT)
                ask(server, "GET", "/whoami", bearer("y" * 48))
                time.sleep(2 * ROUND_SECONDS)
            for _ in range(2):
                use(server)
                time.sleep(ROUND_SECONDS)
            yield server, call


@pytest.fixture
def scraped(deployment) -> Callable[..., Any]:
    """The API of Prometheus."""
    return deployment[1]


TARGETS = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = {f"{title} {target['refId']}": target["expr"] for title, target in TARGETS}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_of_the_dashboard_has_data(scraped, expression):
    expression = expression.replace("$__rate_interval", "1m").replace("$job", ".+")

    values = [float(each["value"][1]) for each in scraped("query", query=expression)["result"]]

    assert values and any(value == value for value in values), expression


def test_prometheus_evaluates_all_alerts(scraped):
    (group,) = scraped("rules")["groups"]

    assert [rule["name"] for rule in group["rules"] if rule["health"] != "ok"] == []
    assert len(group["rules"]) == 9


def test_the_values_of_the_job_are_those_of_the_dashboard(scraped):
    (variable,) = [each for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()

    assert scraped(f"label/{label}/values", **{"match[]": metric}) == ["oauth_mw"]


def test_the_outage_is_seen(scraped):
    query = 'max_over_time(oauth_mw_checks_total{outcome="unavailable"}[5m])'

    (found,) = scraped("query", query=query)["result"]

    assert float(found["value"][1]) >= 1


# The command line, with the same metrics


@pytest.fixture
def typed(deployment, monkeypatch, tmp_path) -> Callable[[str], tuple[str, str]]:
    """Run a line of the page on the server; what it prints, and what the page shows of it."""
    server, _ = deployment
    lines = fence(PAGE, "console", "$ export OAUTH_METRICS")
    for name, value in {"CLIENT_ID": "beta", "CLIENT_SECRET": SECRETS["beta"]}.items():
        assert f"OAUTH_METRICS_{name}=" in lines
        monkeypatch.setenv(f"OAUTH_METRICS_{name}", value)

    def typed(line: str) -> tuple[str, str]:
        command, shown = re.search(rf"^\$ ({re.escape(line)})\n((?:(?!\$ ).*\n)*)", lines, re.MULTILINE).groups()
        words = [word.replace("https://api.example.com", server.url) for word in command.split()]
        ended = subprocess.run(
            [sys.executable, "-m", "oauth_mw", *words[1:]], capture_output=True, text=True, timeout=WAIT_SECONDS
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout, shown.replace("https://api.example.com", server.url)

    return typed


def test_report_shows_what_the_page_shows(typed):
    printed, shown = typed("oauth-mw report https://api.example.com/metrics")

    assert re.fullmatch(re.escape(shown.strip()).replace("…", ".*"), printed.strip(), re.DOTALL), printed


def test_report_tells_scripts_all_that_prometheus_has(typed, scraped):
    printed, _ = typed("oauth-mw report https://api.example.com/metrics --interval 1 --json")

    found = json.loads(printed)
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", members(), re.MULTILINE)
    assert {*found} == {name for row in rows for name in re.findall(r"\w+", row)}
    kids = {each["metric"]["kid"] for each in scraped("query", query="oauth_mw_signing_key_age_seconds")["result"]}
    assert {each["kid"] for each in found["signing_keys"]} == kids
    assert (found["store"]["up"], found["seconds"] >= 1, found["cache"]["size"]) == (True, True, 20_000)


def members() -> str:
    """The table of members on the page."""
    return (ROOT / PAGE).read_text(encoding="utf-8").partition("| member |")[2].partition("\n\n")[0]
