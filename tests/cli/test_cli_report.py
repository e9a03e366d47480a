"""``report`` says what a running deployment counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from webtest import TestApp

from helpers.support import SECRET, bearer, issue
from oauth_mw import admin
from oauth_mw.cli import report
from oauth_mw.cli.fetching import Http
from oauth_mw.cli.scraping import Client, Scraper
from oauth_mw.environment import METRICS_SECRET, METRICS_TOKEN


def test_scripts_are_told_each_figure(monitored, printed):
    monitored.metrics.count()

    found = printed("report", monitored.url)

    assert found.pop("time") > 1_700_000_000
    assert found == {
        "url": monitored.url,
        "seconds": None,
        "checks": {"accepted": 9, "refused": 1, "public": 0, "unavailable": 0},
        "tokens_issued": {"opaque": 2},
        "tokens_revoked": 1,
        "refusals": [{"endpoint": "guard", "reason": "expired_token", "count": 1}],
        "clients": [],
        "cache": {"hits": 8, "misses": 2, "hit_share": 0.8, "tokens": 2, "size": 10000},
        "store": {
            "up": True,
            "operations": [
                {
                    "operation": "find_token",
                    "count": 2,
                    "failed": 0,
                    "mean_seconds": 0.004,
                    "p50_seconds": 0.0025,
                    "p99_seconds": 0.00495,
                }
            ],
        },
        "revocation_log": {"events": 3, "behind_seconds": 0.25},
        "signing_keys": [{"kid": "abc", "age_seconds": 172800}],
    }


SHOWN = """\
{url}, since it was started

CHECKS       COUNT
accepted     9
public       0
refused      1
unavailable  0

TOKENS          COUNT
issued, opaque  2
revoked         1

REFUSED BY  REASON         COUNT
guard       expired_token  1

STORE       CALLS  FAILED  MEAN  50 % WITHIN  99 % WITHIN
find_token  2      0       4 ms  2.5 ms       4.95 ms

cache hits       80.0 %
cached tokens    2, cache_size is 10000 in all processes
store            up
revocation log   3 events, read 250 ms ago
signing key abc  2 days old
"""


def test_people_are_shown_tables(monitored, cli):
    monitored.metrics.count()

    assert cli("report", monitored.url).stdout == SHOWN.format(url=monitored.url)


@pytest.fixture
def between(monitored, monkeypatch):
    """Count between two scrapes, in the place of waiting."""
    monitored.metrics.count()
    waited = []

    def wait(seconds):
        waited.append(seconds)
        monitored.metrics.count()

    monkeypatch.setattr(
        report, "time", SimpleNamespace(sleep=wait, time=report.time.time)
    )  # threads of the deployment sleep, too
    return waited


def test_an_interval_counts_what_happened_in_between(between, monitored, printed):
    found = printed("report", monitored.url, "--interval", "5")

    assert between == [5.0]
    assert found["seconds"] > 0
    assert (found["checks"]["accepted"], found["tokens_issued"], found["cache"]["hits"]) == (9, {"opaque": 2}, 8)


def test_rates_are_shown_beside_the_counts_of_an_interval(between, monitored, cli):
    lines = cli("report", monitored.url, "--interval", "5").stdout.splitlines()

    assert lines[2].split() == ["CHECKS", "COUNT", "PER", "SECOND"]
    assert lines[3].split()[:2] == ["accepted", "9"] and float(lines[3].split()[2]) > 0


# How it gets a token


def test_a_token_is_read_from_a_file_a_pipe_or_the_environment(deployment, cli, tmp_path, monkeypatch):
    deployment.metrics.count()
    token = issue(TestApp(deployment), "monitor", SECRET)
    (tmp_path / "token.txt").write_text(f"{token}\n")

    answers = [
        cli("report", deployment.url, "--token-file", "token.txt"),
        cli("report", deployment.url, "--token-file", "-", input=f"{token}\n"),
    ]
    monkeypatch.setenv(METRICS_TOKEN, token)
    answers.append(cli("report", deployment.url))

    assert [answer.exit_code for answer in answers] == [0, 0, 0]
    assert not any(token in answer.output for answer in answers)


def test_a_client_that_is_named_counts_before_a_token_of_the_environment(deployment, cli, monkeypatch):
    deployment.metrics.count()
    monkeypatch.setenv(METRICS_TOKEN, "invalid")
    monkeypatch.setenv(METRICS_SECRET, SECRET)

    assert cli("report", deployment.url, "--client", "monitor").exit_code == 0


def test_a_secret_is_prompted_for_on_a_terminal(deployment, on_terminal):
    deployment.metrics.count()

    exit_code, shown, printed = on_terminal(
        "report", deployment.url, "--client", "monitor", answers=[(b"Secret", SECRET)]
    )

    assert (exit_code, SECRET.encode() in shown, "accepted" in printed) == (0, False, True)


def test_the_token_path_scope_and_header_may_be_others(deployment, cli, monkeypatch):
    deployment.metrics.count()
    deployment.guard(token_path="/v1/token", authorization_header="X-Token", default_scope="other")
    monkeypatch.setenv(METRICS_SECRET, SECRET)
    words = ["--token-url", deployment.url.replace("/metrics", "/v1/token"), "--header", "X-Token"]

    answer = cli("report", deployment.url, "--client", "monitor", "--scope", "metrics:read", *words)

    assert answer.exit_code == 0, answer.stderr


def test_a_host_alone_has_its_metrics_at_the_usual_path(monitored, printed):
    monitored.metrics.count()

    assert printed("report", monitored.url.removesuffix("/metrics"))["url"] == monitored.url


def test_nothing_is_read_through_a_proxy_from_this_machine(monitored, cli, monkeypatch):
    monitored.metrics.count()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")

    assert cli("report", monitored.url).exit_code == 0


def test_a_token_that_is_revoked_meanwhile_is_requested_again(deployment):
    deployment.metrics.count()
    client = Client(deployment.url.replace("/metrics", "/oauth/token"), "monitor", SECRET, "")
    scraper = Scraper(deployment.url, Http("Authorization", 5.0), client=client)
    before = scraper.scrape()

    admin.revoke_all_tokens(deployment.store, "monitor")

    assert scraper.scrape().samples == before.samples
    assert SECRET not in repr(client)


def test_the_metrics_of_the_middleware_itself_are_read(monitored, printed):
    monitored.guard(metrics_path="/metrics")
    printed("report", monitored.url)

    found = printed("report", monitored.url)

    assert (found["tokens_issued"], found["checks"]["refused"], found["store"]["up"]) == ({"opaque": 2}, 0, True)
    assert found["checks"]["accepted"] >= 1 and found["cache"]["size"] == 10_000
    assert {each["operation"] for each in found["store"]["operations"]} >= {"find_verifiers", "add_token", "find_token"}


def test_the_most_active_clients_are_shown_where_they_are_counted(monitored, cli, printed):
    monitored.guard(metrics_path="/metrics", metrics_client_ids=True)
    app = TestApp(monitored)
    tokens = [issue(app, "stranger", SECRET) for _ in range(3)]
    app.get("/metrics", headers=bearer(tokens[0]), status=403)

    found = printed("report", monitored.url)

    assert found["clients"][:2] == [
        {"client_id": "stranger", "accepted": 0, "issued": 3, "refused": 1},
        {"client_id": "monitor", "accepted": 1, "issued": 1, "refused": 0},
    ]
    assert "\nstranger  0         3              1\n" in cli("report", monitored.url).stdout


def test_what_a_deployment_does_not_tell_is_shown_as_such(monitored, cli, printed):
    monitored.metrics.gauge("store_up").set(1)

    found = printed("report", monitored.url)

    assert (found["tokens_revoked"], found["cache"]["hits"], found["revocation_log"]["events"]) == (0, 0, None)
    assert cli("report", monitored.url).exit_code == 0
