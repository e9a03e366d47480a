"""Move a client to an empty store by a file.

python examples/clients-as-a-file/apply.py
"""

from __future__ import annotations

import tomllib

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

old, new = open_store("memory://"), open_store("memory://")
client, secret = admin.add_client(old, "Nightly report job", scope="reports:read")

document = tomllib.loads("".join(admin.export_clients(old)))
for change in admin.apply_clients(new, document):
    print(change.action, change.name)

app = Client(OAuthMiddleware(Response("hello\n"), store=new))
answer = app.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(client.client_id, secret))
print("the old secret:", answer.status_code)
print("again:", admin.apply_clients(new, document))
