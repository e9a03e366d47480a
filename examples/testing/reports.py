"""A Flask app behind OAuthMiddleware, for the tests beside it.

pytest examples/testing
"""

from __future__ import annotations

import os

from flask import Flask, request

from oauth_mw import OAuthMiddleware

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(
    app.wsgi_app,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("*", "/reports/*", "reports:write")],
)


@app.get("/health")
def health():
    return "ok\n"


@app.get("/reports")
def reports():
    return f"reports of {request.environ['oauth_mw.token'].attributes.get('tenant', 'all')}\n"


@app.post("/reports")
def write():
    return f"written by {request.environ['oauth_mw.client_id']}\n", 201
