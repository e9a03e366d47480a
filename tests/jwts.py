"""What the tests of JWTs have in common."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from support import SECRET, basic, bearer
from webtest import TestApp

from oauth_mw.tokens.jws import SigningKey

ISSUER = "https://api.example.com"
JWT = {"issuer": ISSUER, "token_format": "jwt"}
TESTER = basic("tester", SECRET)


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


def signed(key: SigningKey, header: str, payload: str) -> str:
    """Two segments, whatever they say, well signed."""
    start = f"{header}.{payload}"
    return f"{start}.{encoded(key.sign(start.encode()))}"
