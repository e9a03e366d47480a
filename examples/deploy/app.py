"""The app that the files beside this one serve. Its rules stand here, and where its store is in the environment.

The environment also overrides what stands here: OAUTH_MW_PUBLIC_PATHS replaces public_paths.
"""

from __future__ import annotations

import os

from flask import Flask, request

from oauth_mw import OAuthMiddleware

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok\n", {"Content-Type": "text/plain"}


@app.get("/reports")
def reports():
    return f"reports for {request.environ['oauth_mw.client_id']}\n", {"Content-Type": "text/plain"}


options = {
    "OAUTH_MW_PUBLIC_PATHS": ["/health"],
    "OAUTH_MW_REQUIRED_SCOPES": [("GET", "/reports/*", "reports:read")],
}
app.wsgi_app = OAuthMiddleware.from_config(app.wsgi_app, {**options, **os.environ})
