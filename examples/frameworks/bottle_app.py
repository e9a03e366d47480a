"""A Bottle app behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/bottle_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import os

import bottle
from bottle import request, response

from oauth_mw import OAuthMiddleware
from oauth_mw.contrib.bottle import require_scope

api = bottle.Bottle()


@api.get("/health")
def health():
    return "ok\n"


@api.get("/")
def hello():
    return f"hello {request.environ['oauth_mw.client_id']}, you may {request.environ['oauth_mw.scope']}\n"


@api.get("/audit")
@require_scope("audit")
def audit():
    return "nothing happened\n"


@api.get("/reports")
def read():
    return f"reports for {request.environ['oauth_mw.client_id']}\n"


@api.post("/reports")
def write():
    response.status = 201
    return f"report filed by {request.environ['oauth_mw.client_id']}\n"


app = OAuthMiddleware(
    api,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    bottle.run(app, server="waitress", host="127.0.0.1", port=os.environ.get("PORT", "8080"))
