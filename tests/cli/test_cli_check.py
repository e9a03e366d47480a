from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace

import pytest

from oauth_mw import admin, open_store
from oauth_mw.keys import keypair

RULES = """
public_paths = /health /docs/*
required_scopes =
    GET /reports/*  reports:read
    *   /reports/*  any of reports:write admin
    *   /any        -
"""

OWN = [
    ["*", "/oauth/token", "answered here: token endpoint"],
    ["*", "/oauth/revoke", "answered here: revocation endpoint"],
    ["*", "/oauth/introspect", "answered here: introspection endpoint"],
]


@pytest.fixture
def check(cli, tmp_path):
    """Check an ini with these lines; its store is ``oauth.db`` beside it unless they say otherwise."""

    def run(lines="", *words, store="sqlite:///%(here)s/oauth.db"):
        text = f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {store}\n{lines}\n"
        (tmp_path / "app.ini").write_text(text)
        return cli("check", "app.ini", *words, store=None)

    return run


@pytest.fixture
def made(url):
    """The store is there."""
    open_store(url, create=True).close()


def told(answer):
    assert answer.exit_code == 0
    return json.loads(answer.stdout)


def test_the_table_shows_own_paths_and_then_what_is_tried_in_order(check, made):
    paths = told(check(RULES, "--json"))["paths"]

    assert [list(row.values()) for row in paths] == [
        *OWN,
        ["GET", "/reports/*", "all of: reports:read"],
        ["*", "/reports/*", "any of: reports:write admin"],
        ["*", "/any", "any token"],
        ["*", "/health", "public"],
        ["*", "/docs/*", "public"],
        ["*", "/*", "any token"],
    ]


def test_people_see_the_same_in_columns(check, made):
    lines = check(RULES).stdout.split("\n\n")[1].splitlines()

    assert lines[0].split() == ["METHODS", "PATH", "NEEDS"]
    assert {line[lines[0].index("PATH")] for line in lines[1:]} == {"/"}
    assert len(lines) == 10


def test_a_good_configuration_has_no_warning(check, made, url, tmp_path):
    found = told(check(RULES, "--json"))

    assert found["warnings"] == []
    assert (found["config"], found["section"]) == (f"{tmp_path}/app.ini", "filter:oauth")
    assert found["store"] == url


def test_own_paths_that_are_off_are_not_listed(check, made):
    paths = told(check("revocation_path = off\nintrospection_path = off\ntoken_path = /t", "--json"))["paths"]

    assert [row["path"] for row in paths] == ["/t", "/*"]


def test_documents_are_listed_where_they_are_served(check, made):
    paths = told(check("issuer = https://auth.example/x\naudience = https://api.example", "--json"))["paths"]

    assert [(row["path"], row["needs"].removeprefix("answered here: ")) for row in paths[3:-1]] == [
        ("/oauth/jwks", "jwks endpoint"),
        ("/.well-known/oauth-authorization-server/x", "metadata endpoint"),
        ("/.well-known/oauth-protected-resource", "resource metadata endpoint"),
    ]


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        pytest.param("", "any token", id="no rules"),
        pytest.param("required_scopes = * /a a", "refused (400)", id="rules"),
        pytest.param("required_scopes = * /a a\nambiguous_paths = pass", "any token", id="rules and pass"),
        pytest.param(
            "required_scopes = * /a a\nambiguous_paths = refuse cherrypy", "refused (400)", id="rules and CherryPy"
        ),
    ],
)
def test_what_ambiguous_paths_need_is_told(check, made, lines, needs):
    assert told(check(lines, "--json"))["ambiguous_paths"] == needs


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param(
            "required_scopes = * /a a\nambiguous_paths = pass", "ambiguous_paths: ", id="ambiguous paths pass"
        ),
        pytest.param("public_paths = /oauth/*", "public_paths: '/oauth/*' never reaches", id="over an own path"),
        pytest.param("delay_auth_decision = on", "delay_auth_decision: unlisted paths are open", id="delay"),
        pytest.param("preflight = on", "preflight: OPTIONS with Origin and", id="preflight"),
        pytest.param("trust_vhm_root = on", "trust_vhm_root: a client that can send X-Vhm-Root", id="root"),
    ],
)
def test_what_may_not_be_meant_is_a_warning(check, made, lines, says):
    answer = check(lines)

    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[-1].startswith(f"warning: {says}")


def test_every_fault_is_a_line(check, made):
    answer = check(
        "realm =\ncache_size = many\nrequired_scopes =\n    GET /a\n    * /b b\n    GET /b c\npublic_path = /x"
    )

    assert answer.exit_code == 2
    assert [line.split(": ")[1] for line in answer.stderr.splitlines()] == [
        "realm",
        "cache_size",
        "required_scopes",
        "public_path",
    ]


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o600, False), (0o644, True)])
def test_keys_in_files_are_read_beside_the_ini(check, made, tmp_path, mode, open_to_all):
    (tmp_path / "a.pem").write_text(keypair.make("ES256").pem())
    (tmp_path / "a.pem").chmod(mode)
    warning = f"signing_key_files: every user of this machine can read {tmp_path}/a.pem"

    found = told(check("issuer = https://auth.example\nsigning_key_files = a.pem", "--json"))
    assert found["warnings"] == [warning] * open_to_all


def test_a_file_without_a_key_is_refused(check, made, tmp_path):
    answer = check("issuer = https://auth.example\nsigning_key_files = a.pem")

    assert (answer.exit_code, f"signing_key_files: {tmp_path}/a.pem" in answer.stderr) == (2, True)


def test_delayed_decisions_leave_unlisted_paths_open(check, made):
    assert told(check("delay_auth_decision = on", "--json"))["paths"][-1]["needs"] == "open: left to the app"


@pytest.mark.parametrize("rule", ["* /* -", "* /* read", "GET /* read"])
def test_delayed_decisions_open_nothing_that_the_rule_for_the_rest_names(check, made, rule):
    found = told(check(f"delay_auth_decision = on\nrequired_scopes = {rule}", "--json"))

    assert "open" not in found["paths"][-1]["needs"]
    assert not any("delay_auth_decision" in warning for warning in found["warnings"])


def test_where_all_is_public_nothing_is_unlisted(check, made):
    assert told(check("delay_auth_decision = on\npublic_paths = /*", "--json"))["paths"][-1]["needs"] == "public"


def test_a_store_that_is_not_there_yet_is_a_warning_and_not_made(check, tmp_path, url):
    answer = check()

    assert answer.exit_code == 0
    assert f"warning: store: there is no store at {url}: the start makes it" in answer.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["app.ini"]


def test_a_client_with_more_scopes_than_are_allowed_now_is_named(check, opened):
    many = tuple(f"s{number}" for number in range(201))
    opened.update_client("tester", lambda client: replace(client, scopes=many))

    (warning,) = told(check("", "--json"))["warnings"]
    assert warning.startswith("store: client 'tester' has 201 scopes")


def test_clients_of_jwts_are_a_warning_where_there_is_no_issuer(check, opened):
    admin.update_client(opened, "tester", token_format="jwt")

    (warning,) = told(check("", "--json"))["warnings"]
    assert warning == "clients have the token format jwt, but issuer is not set: they get opaque tokens"


def test_a_database_without_our_tables_is_a_warning(check, tmp_path):
    sqlite3.connect(tmp_path / "oauth.db").execute("create table theirs (x)").connection.close()

    answer = check()

    assert answer.exit_code == 0
    assert "warning: store: " in answer.stdout
    assert check().stdout == answer.stdout


def test_a_store_in_memory_is_a_warning(check):
    assert "warning: store: memory://" in check(store="memory://").stdout


def set_version(tmp_path):
    with sqlite3.connect(tmp_path / "oauth.db") as database:
        database.execute("update oauth_mw_store set version = 99")
    database.close()


@pytest.mark.parametrize(
    ("spoil", "exit_code"),
    [
        pytest.param(set_version, 2, id="newer than the code"),
        pytest.param(lambda folder: (folder / "oauth.db").write_text("no database" * 50), 2, id="no database"),
        pytest.param(lambda folder: os.truncate(folder / "oauth.db", 4096), 4, id="cut off"),
    ],
)
def test_a_store_that_cannot_be_used_fails(check, made, tmp_path, spoil, exit_code):
    spoil(tmp_path)

    answer = check()

    assert answer.exit_code == exit_code
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("store", "says"),
    [
        pytest.param("sqlite:///%(here)s/no/oauth.db", "/no does not exist", id="no folder"),
        pytest.param("sqlite:///%(here)s", "is not a file", id="a folder"),
        pytest.param("sqlite:///%(here)s/oauth.db?mode=ro", "expected sqlite:///file", id="a query"),
        pytest.param("sqlite://", "expected sqlite:///file", id="no file"),
        pytest.param("mysql://h/db", "expected sqlite:///file, postgresql+psycopg://", id="another engine"),
        pytest.param("", "expected sqlite:///file, postgresql+psycopg://", id="empty"),
    ],
)
def test_a_store_that_the_start_would_refuse_fails(check, store, says):
    answer = check(store=store)

    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: store: ") and says in answer.stderr


def test_a_folder_that_cannot_be_written_fails(check, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere

    assert check().stderr == f"Error: store: the folder {tmp_path} is not writable\n"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param("public_path = /a", "public_path: unknown option, did you mean public_paths?", id="unknown"),
        pytest.param("cache_size = many", "cache_size: expected a whole number", id="wrong type"),
        pytest.param("required_scopes = GET /a", "required_scopes: rule 'GET /a': expected", id="no rule"),
        pytest.param("required_scopes =\n  * /a a\n  GET /a b", "can never match", id="dead rule"),
        pytest.param(
            "public_paths = /oauth/token", "public_paths: '/oauth/token' is exactly token_path", id="own path"
        ),
        pytest.param("token_path = /a\nrevocation_path = /a", "revocation_path: /a is taken", id="equal paths"),
    ],
)
def test_a_fault_fails_and_names_the_option(check, made, lines, says):
    answer = check(lines)

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert says in answer.stderr


def test_a_missing_store_option_fails(cli, tmp_path, url, monkeypatch):
    monkeypatch.setenv("OAUTH_MW_STORE", url)
    (tmp_path / "app.ini").write_text("[filter:oauth]\nuse = egg:oauth_mw\n")

    assert cli("check", "app.ini", store=None).stderr.startswith("Error: store: is missing")


def test_the_ini_may_stand_before_the_command(check, cli, made):
    shown = check().stdout

    assert cli("--config", "app.ini", "check", store=None).stdout == shown


def test_check_without_an_ini_is_wrong_usage(cli):
    assert cli("check").exit_code == 2
