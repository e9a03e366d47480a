"""Answer a client that was written for Apigee with the members that it reads.

python examples/gateways/apigee_answers.py
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
    attributes={"api_products": "store,order", "organization": "acme", "developer_email": "dev@acme.example"},
    public_attributes={"plan": "gold"},
)
app = Client(OAuthMiddleware(Response("hello\n"), store=store, compatibility="apigee"))


def ask(secret):
    """What the token endpoint answers."""
    return app.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("AbCdEf123456", secret))


def show(answer):
    for name in sorted(answer.json):
        print(f"{name}: {answer.json[name]}")


show(ask("q7LxW2mZ9tRk4VbN"))
refusal = ask("not its secret, at all")
print(refusal.status_code)
show(refusal)
