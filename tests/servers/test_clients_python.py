"""Stock Python clients, unmodified: they ask for a token, use it, and introspect and revoke it where they can."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
import requests
from hosting import Server
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError
from odd_clients import ODD_CLIENTS
from requests_oauthlib import OAuth2Session
from wire import GRANT

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients' own switches for tests without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(params=["requests-oauthlib, header", "requests-oauthlib, body"])
def oauthlib_token(request: pytest.FixtureRequest, service: Server) -> Callable[..., tuple[OAuth2Session, Any]]:
    def fetch(client_id: str, secret: str, **options: Any) -> tuple[OAuth2Session, Any]:
        session = OAuth2Session(client=BackendApplicationClient(client_id=client_id))
        in_body = request.param.endswith("body")
        token = session.fetch_token(
            f"{service.url}/oauth/token",
            client_id=client_id,
            client_secret=secret,
            include_client_id=in_body,
            auth=None if in_body else (client_id, secret),
            **options,
        )
        service.confidential.add(token["access_token"])
        return session, token

    return fetch


@pytest.mark.parametrize(("client_id", "secret"), ODD_CLIENTS.values(), ids=ODD_CLIENTS)
def test_requests_oauthlib_gets_and_uses_a_token(
    service: Server, oauthlib_token: Callable[..., tuple[OAuth2Session, Any]], client_id: str, secret: str
) -> None:
    session, token = oauthlib_token(client_id, secret)
    assert set(token.scopes) == {"read", "write"}
    assert session.get(f"{service.url}/whoami").json()["client_id"] == client_id


def test_oauthlib_gets_the_scope_it_asks_for_and_names_a_wrong_secret_as_invalid_client(
    oauthlib_token: Callable[..., tuple[OAuth2Session, Any]],
) -> None:
    _, token = oauthlib_token(*ODD_CLIENTS["plain"], scope=["write"])
    assert token.scopes == ["write"]
    with pytest.raises(InvalidClientError):
        oauthlib_token(ODD_CLIENTS["plain"][0], "not its own")


@pytest.fixture(params=["requests_client.OAuth2Session", "httpx_client.OAuth2Client"])
def authlib_session(request: pytest.FixtureRequest) -> Any:
    module, _, name = request.param.partition(".")
    return getattr(import_module(f"authlib.integrations.{module}"), name)


# What Authlib says on import about a successor of httpx.
@pytest.mark.filterwarnings("ignore:The httpx module is deprecated")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(("client_id", "secret"), ODD_CLIENTS.values(), ids=ODD_CLIENTS)
def test_authlib_gets_uses_introspects_and_revokes_a_token(
    service: Server, authlib_session: Any, method: str, client_id: str, secret: str
) -> None:
    with authlib_session(client_id, secret, scope="read", token_endpoint_auth_method=method) as session:
        token = session.fetch_token(f"{service.url}/oauth/token", grant_type="client_credentials")
        service.confidential.add(token["access_token"])
        assert session.get(f"{service.url}/whoami").json()["client_id"] == client_id
        state = session.introspect_token(f"{service.url}/oauth/introspect", token=token["access_token"]).json()
        assert (state["active"], state["scope"], state["client_id"]) == (True, "read", client_id)
        assert session.revoke_token(f"{service.url}/oauth/revoke", token=token["access_token"]).status_code == 200
        assert session.get(f"{service.url}/whoami").status_code == 401


def by_requests(url: str, auth: tuple[str, str]) -> Any:
    return requests.post(url, GRANT, auth=auth, timeout=10).json()


def by_httpx(url: str, auth: tuple[str, str]) -> Any:
    return httpx.post(url, data=GRANT, auth=auth).json()


@pytest.mark.parametrize("post", [by_requests, by_httpx])
@pytest.mark.parametrize("encode", [str, quote_plus], ids=["raw", "form-encoded"])
@pytest.mark.parametrize(("client_id", "secret"), ODD_CLIENTS.values(), ids=ODD_CLIENTS)
def test_basic_credentials_are_read_raw_and_form_encoded(
    service: Server, post: Make, encode: Callable[[str], str], client_id: str, secret: str
) -> None:
    answer = post(f"{service.url}/oauth/token", (encode(client_id), encode(secret)))
    service.confidential.add(answer["access_token"])
    assert answer["token_type"] == "Bearer"
