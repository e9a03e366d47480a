"""A guarded API, and a page of another origin that reads it.

    oauth-mw --store sqlite:///oauth.db client add Dashboard --id dashboard --scope reports:read
    CLIENT_SECRET=SECRET python examples/browsers/dashboard.py

Then open http://127.0.0.1:8081/ in a browser.

The environment variables STORE (default: sqlite:///oauth.db), PORT (8080) and PAGE_PORT (8081) change where it keeps
and serves.
"""

from __future__ import annotations

import json
import os
import sys
import threading

import requests
from flask import Flask, send_from_directory
from flask_cors import CORS
from waitress import serve

from oauth_mw import OAuthMiddleware

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, PAGE_PORT = int(os.environ.get("PORT", "8080")), int(os.environ.get("PAGE_PORT", "8081"))
API, PAGE = f"http://127.0.0.1:{PORT}", f"http://127.0.0.1:{PAGE_PORT}"


def problem(environ, refusal):
    """Refusals look like all other errors of this API (RFC 9457)."""
    members = {"status": refusal.status, "title": refusal.description, "instance": environ.get("PATH_INFO", "")}
    return "application/problem+json", json.dumps(members).encode()


api = Flask("api")
CORS(api, origins=[PAGE])  # responses of the views
api.wsgi_app = OAuthMiddleware(
    api.wsgi_app,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
    cors_origins=[PAGE],  # refusals, preflights and the token endpoint
    on_refusal=problem,
)


@api.get("/reports")
def read():
    return {"reports": ["January", "February"]}


@api.post("/reports")
def write():
    return {"filed": True}, 201


page = Flask("page")


@page.get("/")
@page.get("/<file>")
def files(file="page.html"):
    return send_from_directory(os.path.join(HERE, "page"), file)


@page.post("/token")
def token():
    """The secret stays on the server. Here the page's own login would be checked."""
    secret = "dashboard", os.environ["CLIENT_SECRET"]
    answer = requests.post(f"{API}/oauth/token", {"grant_type": "client_credentials"}, auth=secret, timeout=10)
    return {"api": API, "token": answer.json()["access_token"]}


if __name__ == "__main__":
    if "CLIENT_SECRET" not in os.environ:
        sys.exit("dashboard: CLIENT_SECRET is not set")
    threading.Thread(target=serve, args=(page,), kwargs={"port": PAGE_PORT, "host": "127.0.0.1"}, daemon=True).start()
    print(f"open {PAGE}/")
    serve(api, host="127.0.0.1", port=PORT)
