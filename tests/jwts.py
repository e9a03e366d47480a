"""What the tests of JWTs have in common."""

from __future__ import annotations

from typing import Any

from support import SECRET, basic, bearer
from webtest import TestApp

ISSUER = "https://api.example.com"
JWT = {"issuer": ISSUER, "token_format": "jwt"}
TESTER = basic("tester", SECRET)


def opens(app: TestApp, token: str) -> bool:
    """Whether a token opens the app."""
    return bool(app.get("/any", headers=bearer(token), expect_errors=True).status_int == 200)


def introspected(app: TestApp, token: str, headers: dict[str, str] = TESTER) -> dict[str, Any]:
    answer: dict[str, Any] = app.post("/oauth/introspect", {"token": token}, headers=headers).json
    return answer
