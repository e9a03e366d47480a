"""Revoke a token in one worker, and see how late another one refuses it.

    python examples/machines/two_workers.py

The environment variable STORE names the store to try; it is an SQLite file of this run alone by default.
Each worker is a middleware with a connection and a cache of its own, as in a process of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store


def status(worker, token):
    return worker.get("/", headers={"Authorization": f"Bearer {token}"}).status_code


def main(url):
    with closing(open_store(url, create=True)) as store:
        client, secret = admin.add_client(store, "Two workers")
        credentials = (client.client_id, secret)
        first, second = (Client(OAuthMiddleware(Response("hello\n"), store=url)) for _ in range(2))
        answer = first.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=credentials)
        token = answer.json["access_token"]
        assert (status(first, token), status(second, token)) == (200, 200)
        print("accepted by both workers")

        first.post("/oauth/revoke", data={"token": token}, auth=credentials)
        revoked = time.monotonic()
        assert status(first, token) == 401
        print("revoked by the first")

        while status(second, token) == 200:
            time.sleep(0.001)
        print(f"refused by the second, after {(time.monotonic() - revoked) * 1000:.1f} ms")
        admin.delete_client(store, client.client_id)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(os.environ.get("STORE", f"sqlite:///{folder}/oauth.db"))
