"""What the README claims about the code is what the code says."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import click
import jwt
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import Column, Integer, MetaData, NullPool, Table, create_engine
from webtest import TestApp

from helpers.serving import serving
from helpers.support import SECRET, basic, echo, issue, one_store
from helpers.wsgi_client import CheckedApp, challenge_of
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.cli import main
from oauth_mw.config import OPTIONS
from oauth_mw.keys import lead_seconds
from oauth_mw.keys.keypair import ALGORITHMS, from_pem
from oauth_mw.tokens.jws import header_of, sign

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return "required"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, tuple):
        return f"`{' '.join(default)}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def options_table() -> str:
    rows = [f"| `{name}` | {shown(each.default)} | {each.metadata['help']} |" for name, each in OPTIONS.items()]
    return "\n".join(["| option | default | what it does |", "| --- | --- | --- |", *rows])


def test_the_options_table_is_that_of_the_code():
    assert options_table() in README


def not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return []


def fenced(begin: str) -> str:
    """The one block of Python that begins so."""
    (code,) = re.findall(rf"```python\n({begin}.*?)```", README, re.DOTALL)
    return code


@one_store
def test_a_mounted_app_is_found_by_its_documents(store, client):  # M-01, M-03, G-01, G-03
    here = {
        "OAuthMiddleware": lambda app, **options: OAuthMiddleware(app, **{**options, "store": store}),
        "app": echo,
        "site": not_found,
    }
    exec(fenced("from werkzeug"), here)
    app = CheckedApp(here["application"])

    resource = app.get(challenge_of(app.get("/auth/reports", status=401)).parameters["resource_metadata"]).json
    issuer = urlsplit(resource["authorization_servers"][0])
    server = app.get(f"/.well-known/oauth-authorization-server{issuer.path}").json
    answer = app.post(server["token_endpoint"], {"grant_type": "client_credentials"}, headers=basic("tester", SECRET))
    assert answer.json["token_type"] == "Bearer"
    app.get("/.well-known/oauth-authorization-server", status=404)


def typed(heading: str) -> list[list[str]]:
    """The words of the commands that stand under a heading."""
    section = re.split(r"^#+ ", README, flags=re.MULTILINE)
    (text,) = (each for each in section if each.startswith(f"{heading}\n"))
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)", text, re.MULTILINE)]


def test_audiences_are_asked_for_as_it_says(tmp_path, monkeypatch):  # N-01
    monkeypatch.setenv("OAUTH_MW_STORE", f"sqlite:///{tmp_path}/oauth.db")
    # One that is made is told on standard error, which old versions of Click mix into the output.
    open_store(f"sqlite:///{tmp_path}/oauth.db", create=True).close()
    (_, *register), (_, *ask) = typed("Audiences")
    made = json.loads(CliRunner().invoke(main, [*register, "--json"]).stdout)
    app = TestApp(OAuthMiddleware(echo, store=f"sqlite:///{tmp_path}/oauth.db"))
    form = "&".join(value for option, value in zip(ask, ask[1:], strict=False) if option == "-d")
    headers = basic(made["client_id"], made["client_secret"])

    token = app.post("/oauth/token", form, headers=headers).json["access_token"]

    assert app.post("/oauth/introspect", {"token": token}, headers=headers).json["aud"] == made["audiences"][1]


def test_a_client_is_given_jwts_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setenv("OAUTH_MW_STORE", f"sqlite:///{tmp_path}/oauth.db")
    store = open_store(f"sqlite:///{tmp_path}/oauth.db", create=True)
    admin.add_client(store, "Nightly report job", client_id="CLIENT")
    ((_, *change),) = typed("Opaque or JWT")

    assert CliRunner().invoke(main, change).exit_code == 0
    assert store.find_client("CLIENT").token_format == "jwt"
    store.close()


@pytest.fixture
def signed(wrap, client, clock):
    """What the how-to's ``check`` says of a token of a real server, and how a token is got from it."""
    clock.now = time.time()
    with serving() as (issuer, set_app):
        here: dict[str, object] = {}
        exec(fenced("import jwt").replace('"https://example.com"', repr(issuer)), here)
        audience = [issuer, here["AUDIENCE"]]
        app = wrap(issuer=issuer, audience=audience, token_format="jwt")
        set_app(app.app)
        yield here["check"], lambda resource: issue(app, resource=resource or issuer)


@one_store
def test_another_service_checks_our_tokens_as_it_says(signed):
    check, token_for = signed
    token = token_for("https://billing.example.com")

    assert (check(token)["client_id"], check(token)["scope"]) == ("tester", "read write")
    with pytest.raises(jwt.InvalidAudienceError):
        check(token_for(None))
    with pytest.raises(jwt.InvalidTokenError):
        check(token[:-10] + "A" * 10)


@one_store
@pytest.mark.parametrize("seconds", [2, -2], ids=["slow", "fast"])
def test_a_service_whose_clock_differs_accepts_fresh_tokens(signed, clock, seconds):
    check, token_for = signed
    clock.move(seconds)

    assert check(token_for("https://billing.example.com"))["client_id"] == "tester"


@one_store
def test_an_expired_token_is_refused_there(signed, clock):
    check, token_for = signed
    clock.move(-3600 - 60)

    with pytest.raises(jwt.ExpiredSignatureError):
        check(token_for("https://billing.example.com"))


@one_store
def test_what_a_key_of_ours_signed_for_something_else_is_no_access_token(signed, store):  # J-07
    check, token_for = signed
    claims = jwt.decode(token_for("https://billing.example.com"), options={"verify_signature": False})
    key = from_pem(store.read_keys().keys[0].private)

    with pytest.raises(jwt.InvalidTokenError, match="no access token"):
        check(sign(header_of(key, "JWT"), claims, key))


def length(**options: str) -> int:
    store = open_store("memory://")
    client, secret = admin.add_client(store, "Nightly report job", scope="reports:read")
    return len(issue(TestApp(OAuthMiddleware(echo, store=store, **options)), client.client_id, secret))


def test_tokens_are_as_long_as_it_says():
    options = {"issuer": "https://example.com", "token_format": "jwt"}
    lengths = [f"{name} {length(signing_algorithm=name, **options)}" for name in ALGORITHMS]

    assert f"| {length()} | {', '.join(lengths)} |" in README


@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql"])
def test_alembic_leaves_our_tables_alone_as_it_says(store, store_url):
    apps = Table("orders", MetaData(), Column("id", Integer, primary_key=True))

    def proposed(**options):
        context = MigrationContext.configure(connection, opts=options)
        return [(change[0], change[1].name) for change in compare_metadata(context, apps.metadata)]

    def keep(connection, target_metadata, include_name):
        here["kept"] = {"include_name": include_name}

    engine = create_engine(store_url, poolclass=NullPool)
    here = {"context": SimpleNamespace(configure=keep), "connection": None, "target_metadata": apps.metadata}
    exec(fenced("def include_name"), here)
    with engine.connect() as connection:
        assert ("remove_table", "oauth_mw_clients") in proposed()
        assert proposed(**here["kept"]) == [("add_table", "orders")]


REFUSE_ONE = """
from webtest import TestApp
TestApp(OAuthMiddleware(None, store="memory://")).get("/any", status=401)
"""


@pytest.mark.parametrize(
    ("changes", "logged"),
    [
        pytest.param({}, True, id="as it says"),
        pytest.param({"False": "True"}, True, id="named"),
        pytest.param(
            {'"oauth_mw": {"level": "INFO"}': "", '"root": {': '"root": {"level": "INFO", '}, True, id="false"
        ),
        pytest.param({"False": "True", '"oauth_mw": {"level": "INFO"}': ""}, False, id="neither"),
    ],
)
def test_refusals_are_logged_as_it_says(changes, logged):
    config = fenced("import logging.config")
    for before, after in changes.items():
        assert before in config
        config = config.replace(before, after)

    code = f"from oauth_mw import OAuthMiddleware\n{config}{REFUSE_ONE}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ("missing_token" in answer.stderr) is logged


SHOWN = sorted(set(re.findall(r"(?:^\$ |`)oauth-mw ([^`\n]+)", README, re.MULTILINE)))


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_is_shown_is_there(line):
    command: click.Command = main
    for word in line.split():
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
        elif word.startswith("-"):
            assert any(word in (*each.opts, *each.secondary_opts) for each in command.params), word
    assert not isinstance(command, click.Group)


def test_a_key_is_published_as_long_as_is_said():
    assert f"published for {lead_seconds(OPTIONS['revocation_lag_seconds'].default)} seconds before it signs" in README
