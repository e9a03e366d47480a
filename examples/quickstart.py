"""Serve a small Flask app, protected on every path, on PORT (8080), and print the two lines that call it.

The clients and tokens are in .quickstart.db, beside this file.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from flask import Flask, request
from waitress import create_server

from oauth_mw import OAuthMiddleware, admin, open_store

logging.basicConfig(format="%(message)s")
logging.getLogger("oauth_mw").setLevel(logging.INFO)  # why requests are refused

PORT = os.environ.get("PORT", "8080")
NAME = "Quickstart demo"

app = Flask(__name__)
store = open_store(f"sqlite:///{Path(__file__).resolve().with_name('.quickstart.db')}", create=True)
app.wsgi_app = OAuthMiddleware(app.wsgi_app, store=store)  # the one line


@app.get("/")
def hello() -> str:
    return f"Hello, client {request.environ['oauth_mw.client_id']}!\n"


def demo_client() -> tuple[str, str]:
    """Its id and a fresh secret: the store keeps only hashes, so an earlier one cannot be shown again."""
    for client in admin.list_clients(store):
        if client.name == NAME:
            for earlier in client.secrets:
                admin.revoke_secret(store, client.client_id, earlier.secret_id, force=True)
            return client.client_id, admin.add_secret(store, client.client_id).secret
    new = admin.add_client(store, NAME)
    return new.client.client_id, new.secret


try:
    server = create_server(app, host="127.0.0.1", port=PORT)
except (OSError, ValueError) as error:
    sys.exit(f"quickstart: cannot listen on port {PORT} ({error}); PORT=8081 would choose another")
client_id, secret = demo_client()
url = f"http://127.0.0.1:{server.effective_port}"
ask = f"curl -s -u {client_id}:{secret} -d grant_type=client_credentials {url}/oauth/token"
pick = r"""sed 's/.*"access_token": *"\([^"]*\)".*/\1/'"""
print(f"Serving a Flask app with one view at {url}/. Every path needs a token.\n\nIn another shell:\n")
print(f"TOKEN=$({ask} | {pick})", f'curl -H "Authorization: Bearer $TOKEN" {url}/', sep="\n")
print("\nIssued tokens and refused requests are logged here. Press Ctrl-C to stop.", flush=True)
server.run()
