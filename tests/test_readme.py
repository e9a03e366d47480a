"""What the README claims about the code is what the code says."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from click.testing import CliRunner
from support import SECRET, basic, echo, one_store
from webtest import TestApp
from wsgi_client import CheckedApp, challenge_of

from oauth_mw import OAuthMiddleware
from oauth_mw.cli import main
from oauth_mw.config import OPTIONS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return "required"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default is None or default in ("", ()):
        return ""
    return (
        f"`{' '.join(default)}`"
        if isinstance(default, tuple)
        else f"`{default:g}`"
        if isinstance(default, float)
        else f"`{default}`"
    )


def options_table() -> str:
    rows = [f"| `{name}` | {shown(each.default)} | {each.metadata['help']} |" for name, each in OPTIONS.items()]
    return "\n".join(["| option | default | what it does |", "| --- | --- | --- |", *rows])


def test_the_options_table_is_that_of_the_code():
    assert options_table() in README


def not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return []


@one_store
def test_a_mounted_app_is_found_by_its_documents(store, client):  # M-01, M-03, G-01, G-03
    (code,) = re.findall(r"```python\n(from werkzeug.*?)```", README, re.DOTALL)
    here = {
        "OAuthMiddleware": lambda app, **options: OAuthMiddleware(app, **{**options, "store": store}),
        "app": echo,
        "site": not_found,
    }
    exec(code, here)
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
    (_, *register), (_, *ask) = typed("Audiences")
    made = json.loads(CliRunner().invoke(main, [*register, "--json"]).stdout)
    app = TestApp(OAuthMiddleware(echo, store=f"sqlite:///{tmp_path}/oauth.db"))
    form = "&".join(value for option, value in zip(ask, ask[1:], strict=False) if option == "-d")
    headers = basic(made["client_id"], made["client_secret"])

    token = app.post("/oauth/token", form, headers=headers).json["access_token"]

    assert app.post("/oauth/introspect", {"token": token}, headers=headers).json["aud"] == made["audiences"][1]
