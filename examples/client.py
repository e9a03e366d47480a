"""A Python client: it requests a token, calls with it, and requests another when it has expired.

    pip install requests-oauthlib
    CLIENT_ID=… CLIENT_SECRET=… python examples/client.py

It calls /reports. Each program in frameworks/ says how to register a client, and answers this one. BASE_URL (default:
http://127.0.0.1:8080) says where it runs.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error, TokenExpiredError
from requests import RequestException, Response
from requests_oauthlib import OAuth2Session

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8080")

# oauthlib refuses plain http, which would show secret and token to the network. Only loopback has none in between.
if urlsplit(BASE_URL).hostname in ("127.0.0.1", "::1", "localhost"):
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


class Api:
    """What the client may call, with a token that is requested when it is needed."""

    def __init__(self, base_url: str, client_id: str, client_secret: str) -> None:
        self.base_url = base_url
        self.credentials = {"client_id": client_id, "client_secret": client_secret}
        self.session = OAuth2Session(client=BackendApplicationClient(client_id))

    def request_token(self) -> None:
        self.session.fetch_token(f"{self.base_url}/oauth/token", **self.credentials)

    def get(self, path: str) -> Response:
        try:
            if not self.session.authorized:
                self.request_token()
            return self.session.get(self.base_url + path)
        except TokenExpiredError:
            self.request_token()
            return self.session.get(self.base_url + path)


if __name__ == "__main__":
    try:
        api = Api(BASE_URL, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    except KeyError as missing:
        sys.exit(f"client: {missing.args[0]} is not set")
    try:
        answer = api.get("/reports")
        answer.raise_for_status()
    except (OAuth2Error, RequestException) as error:
        sys.exit(f"client: {error}")
    print(answer.text, end="")
