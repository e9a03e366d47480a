"""Change a signing key, then retire the old one, as commands do it, and see which tokens workers accept.

    python examples/keys/rotate.py

Each worker here has just started, so it has read the keys. One that runs reads them again within a second.
"""

from __future__ import annotations

import time

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

store = open_store("memory://")
client, secret = admin.add_client(store, "Nightly report job")


def worker():
    options = {"store": store, "issuer": "https://example.com", "token_format": "jwt"}
    return Client(OAuthMiddleware(Response("hello\n"), **options))


def token():
    form = {"grant_type": "client_credentials"}
    return worker().post("/oauth/token", data=form, auth=(client.client_id, secret)).json["access_token"]


def statuses(*tokens):
    return [worker().get("/", headers={"Authorization": f"Bearer {each}"}).status_code for each in tokens]


old = admin.rotate_key(store, clock=lambda: time.time() - 86400)  # the first key, made a day ago
first = token()
admin.rotate_key(store, at_once=True)
second = token()
print("two tokens, signed by two keys:", *statuses(first, second))
print("published keys:", len(worker().get("/oauth/jwks").json["keys"]))

admin.retire_key(store, old.kid)
print("the old key is retired:", *statuses(first, second))
print("published keys:", len(worker().get("/oauth/jwks").json["keys"]))
