"""Where warnings are errors, the product can be imported and used: it raises none, at import or later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.builders import STORE_SUITE
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

url, secret = sys.argv[1], "7Kq9ZtVbW3xJ5mNcR8dL"
options = {"issuer": "https://id.example.com", "key_encryption_secret": "kR4vTz81WqNb6XyH2mLs"}

def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["oauth_mw.client_id"].encode()]

store = open_store(url, create=True)
for token_format in ("opaque", "jwt"):
    admin.add_client(store, "tester", client_id=token_format, secret=secret, token_format=token_format)
    app = TestApp(OAuthMiddleware(echo, store=store, **options))
    app.authorization = ("Basic", (token_format, secret))
    token = app.post("/oauth/token", {"grant_type": "client_credentials"}).json["access_token"]
    app.post("/oauth/introspect", {"token": token})
    app.authorization = ("Bearer", token)
    assert app.get("/").text == token_format
    app.authorization = ("Basic", (token_format, secret))
    app.post("/oauth/revoke", {"token": token})
    app.authorization = ("Bearer", token)
    app.get("/", status=401)
admin.disable_client(store, "opaque")
store.close()
"""


def strictly(*arguments: str) -> str:
    """What a Python process says on standard error, with every warning an error."""
    command = [sys.executable, "-X", "dev", "-W", "error", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ran.stderr or f"exit code {ran.returncode}"


@pytest.mark.parametrize("names", [["oauth_mw"], MODULES], ids=["the package", "every module"])
def test_imports_raise_no_warning(names):
    assert strictly("-c", f"import {', '.join(names)}") == "exit code 0"


@pytest.mark.parametrize("store_kind", STORE_SUITE)
def test_a_short_life_raises_no_warning(store_url):
    assert strictly("-c", LIFE, store_url) == "exit code 0"


@pytest.mark.parametrize("command", [["client", "list"], ["key", "list"], ["store", "info"]], ids=" ".join)
def test_a_command_raises_no_warning(tmp_path, command):
    url = f"sqlite:///{tmp_path}/oauth.db"
    open_store(url, create=True).close()

    assert strictly("-m", "oauth_mw", "--store", url, *command) == "exit code 0"
