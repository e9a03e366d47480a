"""Where warnings are errors, the product can be imported and used: it raises none, at import or later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.store_urls import why_not
from oauth_mw import open_store

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oauth_mw"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__main__"
)

LIFE = """
import sys
from oauth_mw import OAuthMiddleware, admin, open_store
from webtest import TestApp  # it imports WebOb as well

secret = "7Kq9ZtVbW3xJ5mNcR8dL"
options = {"issuer": "https://id.example.com", "key_encryption_secret": "kR4vTz81WqNb6XyH2mLs"}

def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["oauth_mw.client_id"].encode()]

def live(url):
    store = open_store(url, create=True)
    for token_format in ("opaque", "jwt"):
        admin.add_client(store, "tester", client_id=token_format, secret=secret, token_format=token_format)
        app = TestApp(OAuthMiddleware(echo, store=store, **options))
        basic = ("Basic", (token_format, secret))
        app.authorization = basic
        token = app.post("/oauth/token", {"grant_type": "client_credentials"}).json["access_token"]
        app.post("/oauth/introspect", {"token": token})
        app.authorization = ("Bearer", token)
        assert app.get("/").text == token_format
        app.authorization = basic
        app.post("/oauth/revoke", {"token": token})
        app.authorization = ("Bearer", token)
        app.get("/", status=401)
    admin.disable_client(store, "opaque")
    store.close()

for url in sys.argv[1:]:
    live(url)
"""
COMMANDS = """
import sys
from oauth_mw.cli import main

for words in (["client", "list"], ["key", "list"], ["store", "info"]):
    main(["--store", sys.argv[1], *words], standalone_mode=False)
"""


URLS = {"postgresql": "postgres_url", "redis": "redis_url"}


def strictly(*arguments: str) -> str:
    """What a Python process says on standard error, with every warning an error."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return ran.stderr or f"exit code {ran.returncode}"


def test_imports_raise_no_warning():
    assert strictly(f"import {', '.join(MODULES)}") == "exit code 0"


@pytest.mark.slow
def test_a_short_life_raises_no_warning(tmp_path, request):
    urls = ["memory://", f"sqlite:///{tmp_path}/oauth.db"]
    urls += [request.getfixturevalue(name) for kind, name in URLS.items() if not why_not(kind)]

    assert strictly(LIFE, *urls) == "exit code 0"


def test_commands_raise_no_warning(tmp_path):
    url = f"sqlite:///{tmp_path}/oauth.db"
    open_store(url, create=True).close()

    assert strictly(COMMANDS, url) == "exit code 0"
