"""A Falcon app behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/falcon_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import logging
import os

import falcon
from waitress import serve

from oauth_mw import OAuthMiddleware
from oauth_mw.contrib.falcon import require_scope


class Health:
    def on_get(self, req, resp):
        resp.text = "ok\n"


class Hello:
    def on_get(self, req, resp):
        resp.text = f"hello {req.env['oauth_mw.client_id']}, you may {req.env['oauth_mw.scope']}\n"


class Audit:
    @require_scope("audit")
    def on_get(self, req, resp):
        resp.text = "nothing happened\n"


class Reports:
    def on_get(self, req, resp):
        resp.text = f"reports for {req.env['oauth_mw.client_id']}\n"

    def on_post(self, req, resp):
        resp.status = 201
        resp.text = f"report filed by {req.env['oauth_mw.client_id']}\n"


api = falcon.App(media_type=falcon.MEDIA_TEXT)
api.add_route("/health", Health())
api.add_route("/", Hello())
api.add_route("/audit", Audit())
api.add_route("/reports", Reports())

app = OAuthMiddleware(
    api,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # where it serves, and what is refused
    serve(app, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
