"""Helpers for the tests of JWTs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from webtest import TestApp

from helpers.support import TESTER, bearer
from oauth_mw.keys.keypair import Key
from oauth_mw.protocols import Store

ISSUER = "https://api.example.com"
JWT = {"issuer": ISSUER, "token_format": "jwt"}
# Options by the form of tokens. Uncached ones are judged by the denylist alone.
FORMS: dict[str, dict[str, Any]] = {"opaque": {}, "jwt": JWT, "jwt, uncached": {**JWT, "cache_size": 2}}


def forms(*names: str, slow: bool = False) -> list[Any]:
    """Values of the parameter ``form``; all, if none is named."""
    marks = [pytest.mark.slow] * slow
    return [pytest.param(FORMS[name], id=name, marks=marks) for name in names or FORMS]


def mostly(often: str, *others: str) -> list[Any]:
    """Values of the parameter ``form``: one for all runs, and others for the long run only."""
    return [*forms(often), *(pytest.param(FORMS[name], id=name, marks=pytest.mark.long) for name in others)]


def opens(app: TestApp, token: str) -> bool:
    """Whether a token opens the app."""
    return bool(app.get("/any", headers=bearer(token), expect_errors=True).status_int == 200)


def introspected(app: TestApp, token: str, headers: dict[str, str] = TESTER) -> dict[str, Any]:
    answer: dict[str, Any] = app.post("/oauth/introspect", {"token": token}, headers=headers).json
    return answer


def encoded(value: object) -> str:
    """Bytes, or the JSON of anything else, in base64url."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: Key, header: str, payload: str) -> str:
    """Two segments, whatever they contain, with a valid signature."""
    start = f"{header}.{payload}"
    return f"{start}.{encoded(key.sign(start.encode()))}"


def signed_elsewhere(store: Store, token: str, **claims: object) -> str:
    """A JWT like ``token``, with another ``jti`` and ``claims``, signed by PyJWT with the store's key."""
    key = store.read_keys().keys[0]
    said = {**jwt.decode(token, options={"verify_signature": False}), "jti": "elsewhere", **claims}
    return jwt.encode(said, key.private, key.algorithm, headers={"typ": "at+jwt", "kid": key.kid})
