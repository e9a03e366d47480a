from __future__ import annotations

import os
import sqlite3
import sys
from dataclasses import replace

import pytest

from helpers.store_urls import NAMED_BY
from oauth_mw import admin, open_store
from oauth_mw.keys import keypair

SECRET = "correct horse battery"
ISSUER = "issuer = https://auth.example"

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
def made(url):
    """The store is there."""
    open_store(url, create=True).close()


def test_a_good_configuration_has_a_table_of_what_is_tried_in_order_and_no_warning(found, made, url, tmp_path):
    answer = found(RULES)

    assert [list(row.values()) for row in answer["paths"]] == [
        *OWN,
        ["GET", "/reports/*", "all of: reports:read"],
        ["*", "/reports/*", "any of: reports:write admin"],
        ["*", "/any", "any token"],
        ["*", "/health", "public"],
        ["*", "/docs/*", "public"],
        ["*", "/*", "any token"],
    ]
    assert (answer["config"], answer["section"]) == (f"{tmp_path}/app.ini", "filter:oauth")
    assert (answer["store"], answer["warnings"]) == (url, [])


def test_people_see_the_same_in_columns(check, made):
    lines = check(RULES).stdout.split("\n\n")[1].splitlines()

    assert lines[0].split() == ["METHODS", "PATH", "NEEDS"]
    assert {line[lines[0].index("PATH")] for line in lines[1:]} == {"/"}
    assert len(lines) == 10


def test_own_paths_that_are_off_are_not_listed_and_documents_where_they_are_served(found, made):
    paths = found("revocation_path = off", "introspection_path = off", "token_path = /t /v1/t")["paths"]
    assert [row["path"] for row in paths] == ["/t", "/v1/t", "/*"]

    paths = found("issuer = https://auth.example/x", "audience = https://api.example")["paths"]
    assert [(row["path"], row["needs"].removeprefix("answered here: ")) for row in paths[3:-1]] == [
        ("/oauth/jwks", "jwks endpoint"),
        ("/.well-known/oauth-authorization-server/x", "metadata endpoint"),
        ("/.well-known/oauth-protected-resource", "resource metadata endpoint"),
    ]


def test_the_paths_of_health_checks_are_listed(found, made):
    assert [list(row.values()) for row in found("health_path = /health")["paths"][3:-1]] == [
        ["*", "/health/live", "answered here: liveness endpoint"],
        ["*", "/health/ready", "answered here: readiness endpoint"],
    ]


AMBIGUOUS = {
    "no rules": ([], "any token"),
    "rules": (["required_scopes = * /a a"], "refused (400)"),
    "rules and pass": (["required_scopes = * /a a", "ambiguous_paths = pass"], "any token"),
    "rules and CherryPy": (["required_scopes = * /a a", "ambiguous_paths = refuse cherrypy"], "refused (400)"),
}


def test_what_ambiguous_paths_need_is_shown(found, made):
    assert {name: found(*lines)["ambiguous_paths"] for name, (lines, _) in AMBIGUOUS.items()} == {
        name: needs for name, (_, needs) in AMBIGUOUS.items()
    }


NOT_MEANT = {
    "ambiguous paths pass": (["required_scopes = * /a a", "ambiguous_paths = pass"], "ambiguous_paths: "),
    "over an own path": (["public_paths = /oauth/*"], "public_paths: '/oauth/*' never reaches"),
    "delay": (["delay_auth_decision = on"], "delay_auth_decision: unlisted paths are open"),
    "preflight": (["preflight = on"], "preflight: OPTIONS with Origin and"),
    "preflight that is answered": (
        ["preflight = on", "cors_origins = *"],
        "preflight: does nothing, because cors_origins",
    ),
    "headers without origins": (
        ["cors_headers = X-Trace"],
        "cors_headers: does nothing, because cors_origins is not set",
    ),
    "root": (["trust_vhm_root = on"], "trust_vhm_root: a client that can send X-Vhm-Root"),
}


@pytest.mark.parametrize(("lines", "says"), NOT_MEANT.values(), ids=NOT_MEANT)
def test_what_may_not_be_meant_is_a_warning(check, made, lines, says):
    answer = check(*lines)

    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[-3].startswith(f"warning: {says}")
    assert answer.stdout.endswith("\n\nno faults\n")


def test_a_function_is_found_in_the_working_directory(check, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop_errors.py").write_text("def body(environ, refusal): ...\n")

    assert check("on_refusal = shop_errors:body").exit_code == 0
    assert "on_refusal: shop_errors:other cannot be imported" in check("on_refusal = shop_errors:other").stderr


def test_a_script_that_exits_is_no_module_of_a_function(check, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "exiting.py").write_text("raise SystemExit(0)\n")

    answer = check("on_refusal = exiting:body")

    assert (answer.exit_code, "exiting:body cannot be imported: SystemExit: 0" in answer.stderr) == (2, True)


def test_every_fault_is_a_line(check, made):
    rules = ["required_scopes =", "    GET /a", "    * /b b", "    GET /b c"]
    answer = check("realm =", "cache_size = many", *rules, "public_path = /x")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert [line.split(": ")[1] for line in answer.stderr.splitlines()] == [
        "realm", "cache_size", "required_scopes", "public_path",
    ]  # fmt: skip
    assert "public_path: unknown option, did you mean public_paths?" in answer.stderr


def test_keys_in_files_are_read_beside_the_ini_and_a_file_without_a_key_is_refused(check, found, made, tmp_path):
    lines = ISSUER, "signing_key_files = a.pem"
    answer = check(*lines)
    assert (answer.exit_code, f"signing_key_files: {tmp_path}/a.pem" in answer.stderr) == (2, True)

    (tmp_path / "a.pem").write_text(keypair.make("ES256").pem())
    (tmp_path / "a.pem").chmod(0o644)
    read = f"signing_key_files: every user of this machine can read {tmp_path}/a.pem: chmod o-r"
    assert found(*lines)["warnings"] == [read]


DELAYED = {
    "nothing else": ([], "open: left to the app"),
    "any token": (["required_scopes = * /* -"], "any token"),
    "a scope": (["required_scopes = * /* read"], "all of: read"),
    "a method": (["required_scopes = GET /* read"], "refused (no rule for the method)"),
    "all is public": (["public_paths = /*"], "public"),
}


@pytest.mark.parametrize(("lines", "needs"), DELAYED.values(), ids=DELAYED)
def test_delayed_decisions_open_nothing_that_is_named(found, made, lines, needs):
    answer = found("delay_auth_decision = on", *lines)

    assert answer["paths"][-1]["needs"] == needs
    warned = "unlisted paths are open" if not lines else "does nothing, because the path /* names every path"
    assert [each for each in answer["warnings"] if each.startswith("delay_auth_decision: ") and warned in each]


def test_a_store_that_is_not_there_yet_is_a_warning_and_not_made(check, tmp_path, url):
    answer = check()

    assert answer.exit_code == 0
    assert f"warning: store: there is no store at {url}: the start creates it" in answer.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["app.ini"]


def test_clients_that_would_be_refused_now_or_get_other_tokens_are_warnings(found, opened):
    many = tuple(f"s{number}" for number in range(201))
    opened.update_client("tester", lambda client: replace(client, scopes=many))
    (warning,) = found()["warnings"]
    assert warning.startswith("store: client 'tester' has 201 scopes")

    opened.update_client("tester", lambda client: replace(client, scopes=()))
    admin.update_client(opened, "tester", token_format="jwt")
    (warning,) = found()["warnings"]
    assert warning == "clients have the token format jwt, but issuer is not set: they get opaque tokens"


WEAK = {
    "throttle = on": "behind a proxy, wrong secrets of others stop these clients, too",
    "throttle = off": "it is off: nothing slows down who guesses them",
    "trusted_proxies = 10.0.0.0/8": None,
}


@pytest.mark.parametrize(("line", "warned"), WEAK.items(), ids=WEAK)
def test_weak_secrets_are_a_warning_unless_each_client_has_an_address(found, opened, line, warned):
    assert found(line)["warnings"] == []

    admin.add_client(opened, "imported", client_id="old", secret="hunter2", allow_weak_secret=True)

    texts = [each for each in found(line)["warnings"] if each.startswith("throttle: clients have weak secrets")]
    assert [each.endswith(str(warned)) and "'old'" in each for each in texts] == ([True] if warned else [])


def test_lists_of_addresses_without_trusted_proxies_are_a_warning(found, opened):
    admin.add_client(opened, "partner", client_id="partner", allowed_addresses=["192.0.2.0/24"])

    (warning,) = found()["warnings"]

    assert "such as 'partner': behind a proxy" in warning
    assert found("trusted_proxies = 10.0.0.0/8")["warnings"] == []


def test_a_database_without_our_tables_and_a_store_in_memory_are_warnings(check, tmp_path):
    sqlite3.connect(tmp_path / "oauth.db").execute("create table theirs (x)").connection.close()

    answer = check()

    assert answer.exit_code == 0
    assert "warning: store: " in answer.stdout
    assert check().stdout == answer.stdout
    assert "warning: store: memory://" in check(store="memory://").stdout


def set_version(folder):
    with sqlite3.connect(folder / "oauth.db") as database:
        database.execute("update oauth_mw_store set version = 99")
    database.close()


SPOILT = {
    "newer than the code": (set_version, 2),
    "no database": (lambda folder: (folder / "oauth.db").write_text("no database" * 50), 2),
    "cut off": (lambda folder: os.truncate(folder / "oauth.db", 4096), 4),
}


@pytest.mark.parametrize(("spoil", "exit_code"), SPOILT.values(), ids=SPOILT)
def test_a_store_that_cannot_be_used_fails(check, made, tmp_path, spoil, exit_code):
    spoil(tmp_path)

    answer = check()

    assert (answer.exit_code, answer.stderr.count("\n")) == (exit_code, 1)


STORES = {
    "no folder": ("sqlite:///%(here)s/no/oauth.db", "/no does not exist"),
    "a folder": ("sqlite:///%(here)s", "is not a file"),
    "empty": ("", "expected sqlite:///file, postgresql+psycopg://"),
}


@pytest.mark.parametrize(("store", "says"), STORES.values(), ids=STORES)
def test_a_store_that_the_start_would_refuse_fails(check, store, says):
    answer = check(store=store)

    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: store: ") and says in answer.stderr


def test_a_folder_that_cannot_be_written_fails(check, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere

    assert check().stderr == f"Error: store: the folder {tmp_path} is not writable\n"


def test_a_missing_store_option_fails_and_no_ini_is_wrong_usage(cli, tmp_path, url, monkeypatch):
    monkeypatch.setenv("OAUTH_MW_STORE", url)
    (tmp_path / "app.ini").write_text("[filter:oauth]\nuse = egg:oauth_mw\n")

    assert cli("check", "app.ini", store=None).stderr.startswith("Error: store: is missing")
    assert cli("check").exit_code == 2


def test_the_ini_may_stand_before_the_command(check, cli, made):
    shown = check().stdout

    assert cli("--config", "app.ini", "check", store=None).stdout == shown


# Stores that are servers

SERVERS = pytest.mark.parametrize("store_kind", ["postgresql", "redis"])
PREFIXES = {"postgresql": "postgresql+psycopg://", "redis": "redis://"}


@SERVERS
def test_a_server_without_a_store_is_a_warning_and_none_is_made(check, store_url, store_kind):
    answers = [check(store=store_url.replace("%", "%%")) for _ in range(2)]

    assert [answer.exit_code for answer in answers] == [0, 0]
    assert all("holds no oauth_mw store" in answer.stdout for answer in answers)
    assert PREFIXES[store_kind] in answers[0].stdout


@SERVERS
def test_a_store_on_a_server_is_named_and_what_a_crash_would_lose_is_a_warning(check, store_url, store_kind):
    open_store(store_url, create=True).close()

    answer = check(store=store_url.replace("%", "%%"))

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert PREFIXES[store_kind] in answer.stdout and "holds no" not in answer.stdout
    if not os.environ.get(NAMED_BY[store_kind]):  # the owner of a server that was named configures it
        off = {"postgresql": "PostgreSQL has fsync", "redis": "Redis has appendonly"}[store_kind]
        assert f"warning: store: {off} off: a crash" in answer.stdout


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:hidden@127.0.0.1:1/db?password=hidden", "redis://me:hidden@127.0.0.1:1/0"]
)
def test_a_server_that_does_not_answer_fails_in_one_line_without_the_password(check, url):
    answer = check("store_timeout_seconds = 1", store=url)

    assert answer.exit_code != 0
    assert answer.stderr.count("\n") == 1 and "hidden" not in answer.output


# Signing keys


@pytest.fixture
def made_with_key(url):
    """A store whose key is encrypted."""
    store = open_store(url, create=True)
    admin.rotate_key(store, secret=SECRET)
    store.close()


@pytest.mark.usefixtures("few_rounds")
def test_a_key_that_the_secret_does_not_decrypt_is_a_warning_if_keys_sign(found, made_with_key):
    secrets = [f"key_encryption_secret = {SECRET}"], [], ["key_encryption_secret = another horse battery"]
    good, not_set, other = (found(ISSUER, *lines)["warnings"] for lines in secrets)

    assert good == found()["warnings"] == []
    assert not_set[0].startswith("key_encryption_secret: is not set,")
    assert "does not decrypt" in other[0]


def test_a_store_that_is_missing_has_no_key_yet(found):
    warnings = found(ISSUER, f"key_encryption_secret = {SECRET}")["warnings"]

    assert [each.partition(": ")[0] for each in warnings] == ["store", "token_format"]


@pytest.mark.parametrize(
    ("secret", "says"),
    [("password12345678", "openssl rand -hex 32"), (f"{SECRET} # hidden", "a comment after a value")],
    ids=["weak", "comment"],
)
def test_a_secret_that_is_refused_is_not_shown(check, made, secret, says):
    answer = check(ISSUER, f"key_encryption_secret = {secret}")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: key_encryption_secret: ") and says in answer.stderr
    assert not any(text in answer.stderr for text in (secret, SECRET, "hidden"))
