"""Helpers for all tests, besides fixtures."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from webtest import TestApp

from oauth_mw import OAuthMiddleware, assembly
from oauth_mw.errors import TokenRefused

SECRET = "7Kq2vX9mB4tR8wZ1nC5y"

# For rules in which the store plays no part.
one_store = pytest.mark.parametrize("store_kind", ["memory"])


class HandClock:
    """A clock that moves only by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


def or_none(find: Callable[..., Any], *given: str) -> Any:
    """The token that ``find`` returns; ``None`` if it is refused."""
    try:
        return find(*given)
    except TokenRefused:
        return None


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The wrapped app: it answers with client id and scope."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"MARKER {environ.get('oauth_mw.client_id')} {environ.get('oauth_mw.scope')}".encode()]


def basic(client_id: str, secret: str, *, raw: bool = False) -> dict[str, str]:
    """A Basic header, form-encoded as RFC 6749 §2.3.1 says, or raw as curl sends it."""
    pair = f"{client_id}:{secret}" if raw else f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def issue(app: TestApp, client_id: str = "tester", secret: str = SECRET, **form: str) -> str:
    """A token of the client."""
    form = {"grant_type": "client_credentials", **form}
    token: str = app.post("/oauth/token", form, headers=basic(client_id, secret)).json["access_token"]
    return token


def checked(app: TestApp, token: str) -> int:
    """The status of a request with a token."""
    return int(app.get("/any", headers=bearer(token), status="*").status_int)


def revoked(app: TestApp, token: str, client_id: str = "tester") -> int:
    """The status of the revocation of a token."""
    login = basic(client_id, SECRET)
    return int(app.post("/oauth/revoke", {"token": token}, headers=login, status="*").status_int)


def created(url: str) -> str:
    """What the command line prints for a store that was created in a folder of the tests' user."""
    file = url.removeprefix("sqlite:///")
    note = f"{file} belongs to root, as its folder does: a service of another user cannot open it\n"
    return f"created {url}\n" + (note if os.geteuid() == 0 else "")


CC = {"grant_type": "client_credentials"}
TESTER = basic("tester", SECRET)


def middleware(app: Any, clock: Callable[[], float], **options: Any) -> OAuthMiddleware:
    """The middleware with the clock of a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oauth_mw.middleware.build", lambda app, options: assembly.build(app, options, clock))
        return OAuthMiddleware(app, **options)
