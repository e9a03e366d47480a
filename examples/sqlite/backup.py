"""Copy an SQLite store while a worker serves, and put the copy back.

    python examples/sqlite/backup.py

A client that was deleted after the copy was made is there again, and so are its tokens.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store


def copy(source, target):
    """What ``.backup`` and ``.restore`` of the program sqlite3 do."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def main(folder):
    database = folder / "oauth.db"
    with closing(open_store(f"sqlite:///{database}", create=True)) as store:
        client, secret = admin.add_client(store, "Nightly report job")
        app = Client(OAuthMiddleware(Response("hello\n"), store=f"sqlite:///{database}"))
        form = {"grant_type": "client_credentials"}
        answer = app.post("/oauth/token", data=form, auth=(client.client_id, secret))
        headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
        print("a token is issued:", app.get("/", headers=headers).status_code)

        copy(database, folder / "copy.db")
        admin.delete_client(store, client.client_id)
        print("its client is deleted:", app.get("/", headers=headers).status_code)

        copy(folder / "copy.db", database)
        print("the copy is put back:", app.get("/", headers=headers).status_code)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
