"""A Flask app with an app factory and a blueprint behind OAuthMiddleware.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    flask --app examples/frameworks/flask_app run --debug --port 8080
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variable STORE (default: sqlite:///oauth.db) names the store. Run as a program, it is served by waitress
at PORT (8080).
"""

from __future__ import annotations

import os

from flask import Blueprint, Flask, request

from oauth_mw import OAuthMiddleware
from oauth_mw.contrib.flask import require_scope

pages = Blueprint("pages", __name__)
reports = Blueprint("reports", __name__, url_prefix="/reports")


@pages.get("/health")
def health():
    return "ok\n"


@pages.get("/")
def hello():
    return f"hello {request.environ['oauth_mw.client_id']}, you may {request.environ['oauth_mw.scope']}\n"


@pages.get("/audit")
@require_scope("audit")
def audit():
    return "nothing happened\n"


@reports.get("")
def read():
    return f"reports for {request.environ['oauth_mw.client_id']}\n"


@reports.post("")
def write():
    return f"report filed by {request.environ['oauth_mw.client_id']}\n", 201


def create_app():
    app = Flask(__name__)
    app.register_blueprint(pages)
    app.register_blueprint(reports)
    app.wsgi_app = OAuthMiddleware(
        app.wsgi_app,
        store=os.environ.get("STORE", "sqlite:///oauth.db"),
        public_paths=["/health"],
        required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
    )
    return app


if __name__ == "__main__":
    from waitress import serve

    serve(create_app(), host="127.0.0.1", port=os.environ.get("PORT", "8080"))
