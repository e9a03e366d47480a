"""Stock Python clients, unmodified: they ask for a token, use it, and introspect and revoke it where they can."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hosting import ODD_CLIENTS, SECRETS, by_waitress
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError
from requests_oauthlib import OAuth2Session

pytestmark = by_waitress
# The first of them encodes ids and secrets as the other one does.
AUTHLIB = [("requests_client.OAuth2Session", odd) for odd in ODD_CLIENTS] + [("httpx_client.OAuth2Client", "all")]


@pytest.fixture(autouse=True)
def over_http(monkeypatch):
    """The clients' own switches for tests without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(params=["requests-oauthlib, header", "requests-oauthlib, body"])
def fetch(request, server):
    """Fetch a token of a client; the session, and the token."""

    def fetch(client_id: str, secret: str, **options: Any) -> tuple[OAuth2Session, Any]:
        session = OAuth2Session(client=BackendApplicationClient(client_id=client_id))
        in_body = request.param.endswith("body")
        options |= {"include_client_id": in_body, "auth": None if in_body else (client_id, secret)}
        url = f"{server.url}/oauth/token"
        token = session.fetch_token(url, client_id=client_id, client_secret=secret, **options)
        server.confidential.add(token["access_token"])
        return session, token

    return fetch


@pytest.mark.parametrize(("client_id", "secret"), ODD_CLIENTS.values(), ids=ODD_CLIENTS)
def test_requests_oauthlib_gets_and_uses_a_token(server, fetch, client_id, secret):
    session, token = fetch(client_id, secret)
    assert set(token.scopes) == {"read", "write"}
    assert session.get(f"{server.url}/whoami").json()["client_id"] == client_id


def test_oauthlib_gets_the_scope_that_it_requests_and_names_a_wrong_secret_as_invalid_client(fetch):
    _, token = fetch("alpha", SECRETS["alpha"], scope=["write"])
    assert token.scopes == ["write"]
    with pytest.raises(InvalidClientError):
        fetch("alpha", "not its own")


# What Authlib says on import about a successor of httpx.
@pytest.mark.filterwarnings("ignore:The httpx module is deprecated")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(("session", "odd"), AUTHLIB, ids=[" ".join(each) for each in AUTHLIB])
def test_authlib_gets_uses_introspects_and_revokes_a_token(server, session, odd, method):
    module, _, name = session.partition(".")
    client_id, secret = ODD_CLIENTS[odd]
    make = getattr(import_module(f"authlib.integrations.{module}"), name)
    with make(client_id, secret, scope="read", token_endpoint_auth_method=method) as client:
        token = client.fetch_token(f"{server.url}/oauth/token", grant_type="client_credentials")
        server.confidential.add(token["access_token"])
        assert client.get(f"{server.url}/whoami").json()["client_id"] == client_id
        state = client.introspect_token(f"{server.url}/oauth/introspect", token=token["access_token"]).json()
        assert (state["active"], state["scope"], state["client_id"]) == (True, "read", client_id)
        assert client.revoke_token(f"{server.url}/oauth/revoke", token=token["access_token"]).status_code == 200
        assert client.get(f"{server.url}/whoami").status_code == 401
