"""A Flask app behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/flask_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import os

from flask import Flask, request
from waitress import serve

from oauth_mw import OAuthMiddleware

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(
    app.wsgi_app,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)


@app.get("/health")
def health():
    return "ok\n"


@app.get("/")
def hello():
    return f"hello {request.environ['oauth_mw.client_id']}, you may {request.environ['oauth_mw.scope']}\n"


@app.get("/reports")
def read():
    return f"reports for {request.environ['oauth_mw.client_id']}\n"


@app.post("/reports")
def write():
    return f"report filed by {request.environ['oauth_mw.client_id']}\n", 201


if __name__ == "__main__":
    serve(app, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
