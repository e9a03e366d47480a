"""What the README claims about the code is what the code says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import urlsplit

from support import SECRET, basic, echo, one_store
from wsgi_client import CheckedApp, challenge_of

from oauth_mw import OAuthMiddleware
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
