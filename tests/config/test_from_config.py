"""``OAuthMiddleware.from_config``: options by the names that Flask's ``app.config`` and the environment have."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import flask
import pytest
from test_config import BAD, SAME

from helpers.support import echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, admin, cli
from oauth_mw.config import configure
from oauth_mw.environment import OF_COMMANDS
from oauth_mw.errors import Faults
from oauth_mw.variables import options_of

STORE = {"OAUTH_MW_STORE": "memory://"}


def settings_of(**options):
    mapping = {f"OAUTH_MW_{name.upper()}": value for name, value in options.items()}
    return configure(options_of({**STORE, **mapping}, "OAUTH_MW_", Faults()))


def faults_of(mapping):
    with pytest.raises(ConfigError) as refusal:
        OAuthMiddleware.from_config(echo, mapping)
    assert str(refusal.value).splitlines() == [f"{name}: {text}" for name, text in refusal.value.faults]
    return refusal.value.faults


@pytest.mark.parametrize(("name", "text", "value"), [row for row in SAME if row[1]])
def test_a_text_and_a_python_value_mean_what_they_mean_elsewhere(name, text, value):
    options = {"issuer": "https://auth.example", "token_format": "jwt"}
    expected = configure({"store": "memory://", **options, name: value})

    assert settings_of(**{**options, name: text}) == settings_of(**{**options, name: value}) == expected


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_value_is_refused_by_both_names(name):
    value = next(each for each in BAD[name] if each not in (None, ""))
    issuer = {"OAUTH_MW_ISSUER": "https://auth.example"}

    ((option, text), *_) = faults_of({**STORE, **issuer, f"OAUTH_MW_{name.upper()}": value})

    assert option == name and text.startswith(f"OAUTH_MW_{name.upper()}: ")


def test_all_faults_are_reported_together():
    names = ["CACHE_SIZE", "REALMS", "TOKEN_FORMAT", "REQUIRED_SCOPES", "realm"]
    mapping = {f"OAUTH_MW_{name}": " " if name == "REQUIRED_SCOPES" else "x" for name in names}

    assert faults_of(mapping) == (
        ("required_scopes", "OAUTH_MW_REQUIRED_SCOPES: is empty: set it, or remove it"),
        ("cache_size", "OAUTH_MW_CACHE_SIZE: expected a whole number from 2 to 10000000, got 'x'"),
        ("realms", "OAUTH_MW_REALMS: unknown option, did you mean realm?"),
        ("token_format", "OAUTH_MW_TOKEN_FORMAT: expected opaque or jwt, got 'x'"),
        ("OAUTH_MW_realm", "unknown option, did you mean realm?"),
        ("store", faults_of({})[0][1]),
    )


# A service named oauth-mw, and one named oauth-mw-store.
OF_SERVICES = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_53_UDP_PROTO"]
OF_SERVICES += ["PORT_80_TCP_PORT", "PORT_80_TCP_ADDR", *(f"STORE_{name}" for name in ("SERVICE_HOST", "PORT_80_TCP"))]
UNKNOWN = ["PORT_NAME", "SERVICE", "SUPPORT", "EXPORT_80_TCP", "APP", "SELF"]


def test_what_kubernetes_names_after_services_is_ignored_and_all_else_refused():
    ignored = {f"OAUTH_MW_{name}": "tcp://10.0.0.1:80" for name in OF_SERVICES}
    assert OAuthMiddleware.from_config(echo, STORE | ignored)
    for name in UNKNOWN:
        with pytest.raises(ConfigError, match=f"OAUTH_MW_{name}: unknown option"):
            OAuthMiddleware.from_config(echo, STORE | {f"OAUTH_MW_{name}": "x"})


@pytest.mark.parametrize("prefix", ["OAUTH_MW_", "OAUTH_"])
def test_what_the_command_line_reads_is_no_option(prefix):
    variables = dict.fromkeys(OF_COMMANDS, "x")

    assert {"OAUTH_MW_AUDIT_LOG", "OAUTH_MW_FROM_PASSWORD", "OAUTH_MW_TO_PASSWORD"} < variables.keys()
    assert OAuthMiddleware.from_config(echo, {f"{prefix}STORE": "memory://", **variables}, prefix)


def test_no_module_of_the_command_line_names_a_variable_itself():
    trees = (ast.parse(file.read_text()) for file in Path(cli.__file__).parent.rglob("*.py"))
    texts = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))

    assert not [text for text in texts if re.fullmatch("OAUTH_[A-Z_]+", str(text))]


def test_the_environment_has_the_options(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {"STORE": "sqlite:///oauth.db", "PUBLIC_PATHS": "/health", "REALM": "${HOME} $${A}"}.items():
        monkeypatch.setenv(f"SHOP_{name}", value)

    guarded = OAuthMiddleware.from_config(echo, os.environ, prefix="SHOP_")

    assert guarded.parts.settings.realm == "${HOME} $${A}" and (tmp_path / "oauth.db").is_file()
    CheckedApp(guarded).get("/health", status=200)


def test_the_config_of_a_flask_app_has_the_options(monkeypatch):
    monkeypatch.setenv("FLASK_OAUTH_MW_ACCESS_TOKEN_LIFETIME", "600")  # which Flask reads as a number
    app = flask.Flask(__name__)
    app.config.update(OAUTH_MW_STORE="memory://", OAUTH_MW_REALM=None, SECRET_KEY="x")
    app.config.from_prefixed_env()

    app.wsgi_app = guarded = OAuthMiddleware.from_config(app.wsgi_app, app.config)

    assert (guarded.parts.settings.access_token_lifetime, guarded.parts.settings.realm) == (600, "api")


def test_a_store_that_is_open_may_be_given(store):
    _, secret = admin.add_client(store, "tester", client_id="tester")

    assert issue(CheckedApp(OAuthMiddleware.from_config(echo, {"OAUTH_MW_STORE": store})), "tester", secret)
