"""A FastAPI app behind OAuthMiddleware, made a WSGI app by a2wsgi: a public path, one for any client, and scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/fastapi_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import logging
import os
from typing import Annotated

from a2wsgi import ASGIMiddleware
from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse
from waitress import serve

from oauth_mw import AccessToken, OAuthMiddleware

api = FastAPI(default_response_class=PlainTextResponse)


def caller(request: Request) -> AccessToken:
    return request.scope["wsgi_environ"]["oauth_mw.token"]


Caller = Annotated[AccessToken, Depends(caller)]


@api.get("/health")
async def health():
    return "ok\n"


@api.get("/")
async def hello(token: Caller):
    return f"hello {token.client_id}, you may {token.scope}\n"


@api.get("/reports")
async def read(token: Caller):
    return f"reports for {token.client_id}\n"


@api.post("/reports", status_code=201)
async def write(token: Caller):
    return f"report filed by {token.client_id}\n"


app = OAuthMiddleware(
    ASGIMiddleware(api),
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # where it serves, and what is refused
    serve(app, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
