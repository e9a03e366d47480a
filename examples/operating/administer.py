"""Register a client, change its secret and disable it, from Python.

python examples/operating/administer.py
"""

from __future__ import annotations

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

store = open_store("memory://")
app = Client(OAuthMiddleware(Response("hello\n"), store=store))


def status(client_id, secret):
    form = {"grant_type": "client_credentials"}
    return app.post("/oauth/token", data=form, auth=(client_id, secret)).status_code


client, old = admin.add_client(store, "Nightly report job", scope="reports:read")
print(f"registered {client.name}, which may {' '.join(client.scopes)}")

new = admin.add_secret(store, client.client_id, label="2027").secret
print("two secrets work:", status(client.client_id, old), status(client.client_id, new))

# Without force, a secret that was used within the last day is not revoked.
admin.revoke_secret(store, client.client_id, client.secrets[0].secret_id, force=True)
print("after the change:", status(client.client_id, old), status(client.client_id, new))

admin.disable_client(store, client.client_id)
print("disabled:", status(client.client_id, new))
