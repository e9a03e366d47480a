"""What stops the start."""

from __future__ import annotations

import pytest

from oauth_mw import ConfigError, OAuthMiddleware

STORE_KINDS = ["memory"]


START = {
    "no rule": ({}, "expected a rule for GET in required_scopes"),
    "another rule": ({"required_scopes": ["GET /reports read"]}, "expected a rule for GET"),
    "another method": ({"required_scopes": ["POST /metrics read"]}, "expected a rule for GET"),
    "below": ({"public_paths": ["/metrics/"]}, "expected a rule for GET"),
    "an endpoint": ({"token_path": "/metrics"}, "/metrics is taken by token_path"),
}


@pytest.mark.parametrize(("options", "message"), START.values(), ids=START)
def test_a_path_that_nothing_names_is_refused(options, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        OAuthMiddleware(None, store="memory://", metrics_path="/metrics", **options)

    assert [name for name, _ in refusal.value.faults if name != "app"][-1] == "metrics_path"


NAMED = {
    "a rule": {"required_scopes": ["GET /metrics metrics:read"]},
    "a rule for all below": {"required_scopes": ["GET /metrics/* -"]},
    "a rule for all": {"required_scopes": ["* /* read"]},
    "a name": {"required_scopes": ["GET /{page} read"]},
    "public": {"public_paths": ["/metrics"]},
    "all public": {"public_paths": ["/*"]},
}


@pytest.mark.parametrize("options", NAMED.values(), ids=NAMED)
def test_a_path_that_a_rule_or_public_path_names_is_served(wrap, options):
    assert wrap(metrics_path="/metrics", **options)


def test_a_missing_library_stops_the_start(wrap, monkeypatch):
    monkeypatch.setattr("oauth_mw.metrics.find_spec", lambda name: None)

    with pytest.raises(
        ConfigError, match=r"^metrics_path: needs prometheus-client: pip install 'oauth_mw\[metrics\]'$"
    ):
        wrap(metrics_path="/metrics", public_paths=["/metrics"])


def test_a_folder_for_several_processes_that_is_not_there_stops_the_start(wrap, monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "missing"))

    with pytest.raises(ConfigError, match="^metrics_path: PROMETHEUS_MULTIPROC_DIR is .* can be written$"):
        wrap(metrics_path="/metrics", public_paths=["/metrics"])


def test_a_folder_that_the_library_has_not_seen_stops_the_start(wrap, monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    with pytest.raises(ConfigError, match="^metrics_path: PROMETHEUS_MULTIPROC_DIR was set after"):
        wrap(metrics_path="/metrics", public_paths=["/metrics"])
