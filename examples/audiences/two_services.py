"""Two services on one store: each accepts the tokens that are for it, and refuses the others.

python examples/audiences/two_services.py
"""

from __future__ import annotations

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

API, BILLING = "https://api.example.com", "https://billing.example.com"

store = open_store("memory://")
client, secret = admin.add_client(store, "Nightly report job", audiences=[API, BILLING])
api = Client(OAuthMiddleware(Response("the api\n"), store=store, audience=API))
billing = Client(OAuthMiddleware(Response("billing\n"), store=store, audience=BILLING))


def token_for(*audiences):
    form = {"grant_type": "client_credentials", "resource": list(audiences)}
    return api.post("/oauth/token", data=form, auth=(client.client_id, secret)).json["access_token"]


for name, audiences in {API: [API], BILLING: [BILLING], "both": [API, BILLING]}.items():
    headers = {"Authorization": f"Bearer {token_for(*audiences)}"}
    statuses = [service.get("/", headers=headers).status_code for service in (api, billing)]
    print(f"a token for {name}: api {statuses[0]}, billing {statuses[1]}")
