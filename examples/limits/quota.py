"""Two workers on one store issue the tokens of one quota; then it is only reported.

    python examples/limits/quota.py

It prints the statuses of the requests.
"""

from __future__ import annotations

from werkzeug import Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, open_store

store = open_store("memory://")
client, secret = admin.add_client(store, "Batch", tokens_per_day=3)
workers = [Client(OAuthMiddleware(Response("hello\n"), store=store)) for _ in range(2)]


def ask(times):
    """The statuses of requests for tokens, which the workers get in turn."""
    form, login = {"grant_type": "client_credentials"}, (client.client_id, secret)
    return [workers[number % 2].post("/oauth/token", data=form, auth=login).status_code for number in range(times)]


print("a quota of three:", *ask(5))
admin.update_client(store, client.client_id, quota_mode="report")
print("only reported:", *ask(2))
