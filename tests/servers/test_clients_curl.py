"""curl, as the documentation of many an API types it."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any
from urllib.parse import quote_plus

import pytest
from hosting import ODD_CLIENTS, SECRETS, Server, by_waitress

pytestmark = [by_waitress, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]

GRANT = ("-d", "grant_type=client_credentials")
every_client = pytest.mark.parametrize(("client_id", "secret"), ODD_CLIENTS.values(), ids=ODD_CLIENTS)


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


def token_of(server: Server, *arguments: str) -> str:
    answer: dict[str, Any] = json.loads(curl(f"{server.url}/oauth/token", *GRANT, *arguments))
    server.confidential.add(answer["access_token"])
    return str(answer["access_token"])


def caller(server: Server, token: str) -> str:
    return str(json.loads(curl("-H", f"Authorization: Bearer {token}", f"{server.url}/whoami"))["client_id"])


@every_client
def test_curl_with_basic_credentials_or_a_form_gets_and_uses_a_token(server, client_id, secret):
    basic = [("-u", f"{client_id}:{secret}"), ("-u", f"{quote_plus(client_id)}:{quote_plus(secret)}")]
    form = ("--data-urlencode", f"client_id={client_id}", "--data-urlencode", f"client_secret={secret}")
    assert [caller(server, token_of(server, *way)) for way in (*basic, form)] == [client_id] * 3


@every_client
def test_curl_that_sends_no_credentials_first_is_led_to_basic(server, client_id, secret):
    headers = server.folder / "headers"
    token_of(server, "--anyauth", "-u", f"{client_id}:{secret}", "-D", str(headers))
    assert [line[9:12] for line in headers.read_text().splitlines() if line.startswith("HTTP/")] == ["401", "200"]


def test_curl_revokes_its_token(server):
    user = ("-u", f"alpha:{SECRETS['alpha']}")
    token = token_of(server, *user)
    assert curl(*user, "-d", f"token={token}", "-w", "%{http_code}", f"{server.url}/oauth/revoke") == "200"
    protected = ("-H", f"Authorization: Bearer {token}", f"{server.url}/whoami")
    assert curl("-o", str(server.folder / "body"), "-w", "%{http_code}", *protected) == "401"
