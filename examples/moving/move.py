"""Copy a store to another one while its tokens are in use: they stay valid there.

    python examples/moving/move.py

The environment variable TO names an empty store to copy to; it is a second SQLite file by default.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store


def token_of(store, credentials):
    app = Client(OAuthMiddleware(Response("hello\n"), store=store))
    form = {"grant_type": "client_credentials"}
    return app.post("/oauth/token", data=form, auth=credentials).json["access_token"]


def status(store, token):
    app = Client(OAuthMiddleware(Response("hello\n"), store=store))
    return app.get("/", headers={"Authorization": f"Bearer {token}"}).status_code


def main(old_url, new_url):
    with closing(open_store(old_url, create=True)) as old, closing(open_store(new_url, create=True)) as new:
        client, secret = admin.add_client(old, "Nightly report job")
        credentials = (client.client_id, secret)
        token = token_of(old, credentials)

        admin.copy_store(old, new)
        print("copied: the token on the new store", status(new, token))

        later = token_of(old, credentials)
        print("issued later on the old store:", status(new, later))

        admin.copy_store(old, new)
        print("copied once more:", status(new, later))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(f"sqlite:///{folder}/oauth.db", os.environ.get("TO", f"sqlite:///{folder}/other.db"))
