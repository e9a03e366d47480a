"""Register Authlib's clients in a store of oauth_mw, with their ids, secrets and scopes.

    DATABASE_URL=sqlite:///app.db OAUTH_MW_STORE=sqlite:///oauth.db python move_clients.py

A client that is there already stays as it is, so the program can be run again. It changes nothing in Authlib's tables.
"""

from __future__ import annotations

import os

from before import Client, session

from oauth_mw import AdminError, admin, open_store

store = open_store(os.environ.get("OAUTH_MW_STORE", "sqlite:///oauth.db"), create=True)
there = {client.client_id for client in admin.list_clients(store)}
for old in session.query(Client).order_by(Client.client_id):
    if old.client_id in there or "client_credentials" not in old.grant_types:
        continue
    try:
        admin.add_client(
            store,
            old.client_name or old.client_id,
            client_id=old.client_id,
            secret=old.client_secret,
            scope=old.scope,
        )
        print(f"moved {old.client_id}")
    except AdminError as error:
        print(f"not moved {old.client_id}: {error}")
