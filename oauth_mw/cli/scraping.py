"""Fetch the metrics of a running deployment, with a token where its metrics path is guarded."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import time
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote_plus

import click

from ..credentials import is_printable
from ..environment import METRICS_CLIENT, METRICS_SECRET, METRICS_TOKEN
from ..errors import AdminError, ConfigError
from ..urls import is_url
from .failures import DeploymentUnavailable
from .fetching import Http
from .figures import Scrape, parse
from .terminal import merged, read_credential

METRICS_PATH, TOKEN_PATH = "/metrics", "/oauth/token"
_PARTS = re.compile(r"(https?://[^/?#]+)(.*)", re.DOTALL)
_CODE = re.compile(r"[a-z_]{1,40}")

# Of every command that calls a deployment.
header_option = click.option(
    "--header", metavar="NAME", default="Authorization", help="The authorization_header of the deployment."
)
ca_file_option = click.option(
    "--ca-file", metavar="FILE", help="Trust the certificates in this file, not those of the system."
)
timeout_option = click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0, 600, min_open=True),
    default=10.0,
    show_default=True,
    help="How long to wait for an answer.",
)

deployment_options = merged(
    click.argument("url", metavar="URL"),
    click.option(
        "--client",
        metavar="ID",
        help=f"Request a token as this client, or as that in {METRICS_CLIENT}. Its secret is in {METRICS_SECRET}, or"
        " prompted for.",
    ),
    click.option("--scope", metavar="SCOPE", default="", help="What the token is requested for."),
    click.option(
        "--token-url",
        metavar="URL",
        default="",
        help=f"Where it is requested: {TOKEN_PATH} of the same host by default.",
    ),
    click.option(
        "--token-file",
        metavar="FILE",
        type=click.File("rb"),
        help=f"Read the token from this file, - for standard input. It may also be in {METRICS_TOKEN}.",
    ),
    header_option,
    ca_file_option,
    click.option("--allow-http", is_flag=True, help="Send a token over plain http, also to another host."),
    timeout_option,
)


class Client(NamedTuple):
    """A client that requests tokens."""

    token_url: str
    client_id: str
    secret: str
    scope: str

    def __repr__(self) -> str:
        return f"Client({self.client_id!r})"


class Scraper:
    """Fetches the metrics at ``url``. The token of a client is kept, and requested again when it is refused."""

    def __init__(self, url: str, http: Http, token: str = "", client: Client | None = None) -> None:
        self.url = url
        self._http = http
        self._token = token
        self._client = client

    def scrape(self) -> Scrape:
        """
        :raises DeploymentUnavailable: no answer, not in time, or the error of a server.
        :raises AdminError: it is refused, or something else than metrics of oauth_mw is answered.
        """
        had_token = bool(self._token)
        if self._client and not had_token:
            self._token = self._requested(self._client)
        status, text = self._fetch()
        if status == 401 and self._client and had_token:  # it has expired, or was revoked
            self._token = self._requested(self._client)
            status, text = self._fetch()
        if status != 200:
            raise self._refusal(status)
        at = time.monotonic()
        if not (samples := parse(text)):
            raise AdminError(f"{self.url} answers, but with no metrics of oauth_mw: is it the metrics_path?")
        return Scrape(at, samples)

    def _fetch(self) -> tuple[int, str]:
        return self._http.send(self.url, f"Bearer {self._token}" if self._token else "")

    def _requested(self, client: Client) -> str:
        """Request a token (RFC 6749 §4.4)."""
        form = {"grant_type": "client_credentials"} | ({"scope": client.scope} if client.scope else {})
        status, text = self._http.send(client.token_url, basic_of(client.client_id, client.secret), form)
        members = members_of(text)
        token = members.get("access_token")
        if status == 200 and isinstance(token, str) and token and is_printable(token):
            return token
        if status >= 500:
            raise _failed(client.token_url, status)
        error = members.get("error")
        why = f" {error}" if isinstance(error, str) and _CODE.fullmatch(error) else ""
        if status == 200:
            raise AdminError(f"{client.token_url} answers without a token: --token-url names where to request one")
        raise AdminError(f"{client.token_url} gives client {client.client_id!r} no token: {status}{why}")

    def _refusal(self, status: int) -> Exception:
        if status >= 500:
            return _failed(self.url, status)
        if 300 <= status < 400:
            return AdminError(f"{self.url} redirects ({status}): give the URL that it leads to")
        if status == 401 and not self._token:
            return AdminError(f"{self.url} needs a token (401): give --client, --token-file, or {METRICS_TOKEN}")
        known = {
            401: "refuses the token (401)",
            403: "refuses the token (403): its scope does not reach, or its client may not call this path from here",
            404: "is not there (404): is it the metrics_path?",
        }
        return AdminError(f"{self.url} {known.get(status, f'answers {status}')}")


def basic_of(client_id: str, secret: str) -> str:
    """The Basic credentials of a client. Id and secret are form-encoded in it (RFC 6749 §2.3.1)."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def _failed(url: str, status: int) -> DeploymentUnavailable:
    why = ": its store does not answer, or a proxy before it has no worker" if status in (502, 503, 504) else ""
    return DeploymentUnavailable(f"{url} answers {status}{why}")


def members_of(text: str) -> dict[str, Any]:
    """Those of a JSON object; none if it is something else."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def scraper(
    url: str,
    *,
    client: str | None,
    scope: str,
    token_url: str,
    token_file: BinaryIO | None,
    header: str,
    ca_file: str | None,
    allow_http: bool,
    timeout: float,
) -> Scraper:
    """What the options name. Those that are typed count before variables, and a token before a client.

    :raises ConfigError: a URL that cannot be used.
    :raises AdminError: a token or secret that none is, or none although it is needed.
    """
    if token_file and client:
        raise click.UsageError("--token-file and --client exclude each other.")
    url = checked_url("URL", url, METRICS_PATH, allow_http)
    http = Http(header, timeout, ca_file)
    token = read_credential(token_file, "Token").strip() if token_file else os.environ.get(METRICS_TOKEN, "")
    if token_file or (token and not client):
        if not token or not is_printable(token) or " " in token:
            raise AdminError("the token is empty, or has characters that no token has")
        return Scraper(url, http, token)
    if not (client := client or os.environ.get(METRICS_CLIENT)):
        return Scraper(url, http)
    token_url = checked_url("--token-url", token_url or _origin(url), TOKEN_PATH, allow_http)
    return Scraper(url, http, client=Client(token_url, client, secret_in(METRICS_SECRET), scope))


def secret_in(variable: str) -> str:
    """The secret of a client, from the environment or a prompt."""
    if held := os.environ.get(variable):
        return held
    if not sys.stdin.isatty():
        raise AdminError(f"the secret of the client is missing: set {variable}, or type it on a terminal")
    return read_credential(sys.stdin.buffer, "Secret")


def _origin(url: str) -> str:
    found = _PARTS.fullmatch(url)
    return found[1] if found else url


def checked_url(place: str, url: str, path: str, allow_http: bool) -> str:
    """The URL, with this path if it has none. It is not shown: what is wrong may be a password in it."""
    found = _PARTS.fullmatch(url)
    if not found:
        raise ConfigError(place, f"expected a URL, such as https://api.example.com{path}")
    if "@" in found[1]:
        raise ConfigError(place, "has a user or password, which other users can read in the process list: leave it out")
    complete = found[1] + (path if found[2] in ("", "/") else found[2])
    if is_url(complete):
        return complete
    if not is_url(f"https{complete.removeprefix('https').removeprefix('http')}"):
        raise ConfigError(place, f"expected a URL without a query, such as https://api.example.com{path}")
    if not allow_http:
        raise ConfigError(place, "sends the token over plain http to another host: use https, or --allow-http")
    return complete
