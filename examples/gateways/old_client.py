"""Import a client of another gateway, and answer the request that it has always sent.

python examples/gateways/old_client.py
"""

from __future__ import annotations

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

store = open_store("memory://")
admin.add_client(
    store,
    "Old client",
    client_id="AbCdEf123456",
    secret="q7LxW2mZ9tRk4VbN",
    scope="reports:read",
    attributes={"plan": "gold"},
)
options = {"grant_type_in": ["body", "query", "header"], "scope_policy": "narrow"}
app = Client(OAuthMiddleware(Response("hello\n"), store=store, **options))

answer = app.post(
    "/oauth/token?grant_type=client_credentials",
    data={"scope": "reports:read reports:write"},
    auth=("AbCdEf123456", "q7LxW2mZ9tRk4VbN"),
)
print(answer.status_code, answer.json["scope"])
