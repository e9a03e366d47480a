"""The app after the move: the same paths, clients and answers, with oauth_mw in front.

flask --app after run
"""

from __future__ import annotations

import os

from flask import Flask, request

from oauth_mw import OAuthMiddleware

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(
    app.wsgi_app,
    store=os.environ.get("OAUTH_MW_STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports", "reports:read"), ("POST", "/reports", "reports:write")],
    scope_policy="narrow",
    access_token_lifetime=864000,
)


@app.get("/health")
def health():
    return "ok"


@app.get("/reports")
def read():
    return f"reports for {request.environ['oauth_mw.client_id']}"


@app.post("/reports")
def write():
    return f"report filed by {request.environ['oauth_mw.client_id']}", 201
