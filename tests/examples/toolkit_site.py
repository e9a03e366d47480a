"""What a site of examples/from-django-oauth-toolkit answers: ``python toolkit_site.py before`` prints it as JSON,
and so does ``python toolkit_site.py after TOKEN`` with a token of before.

A process of its own, because Django has one configuration.
"""

from __future__ import annotations

import importlib
import json
import sys

from webtest import TestApp

from helpers.support import basic, bearer

SECRET = "5hRk2wVx9QmTz7Lp4NcB"


def prepare():
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model

    call_command("migrate", verbosity=0)
    model = get_application_model()
    for client_id, hashed in (("reader", False), ("hashed", True)):
        kind = {"client_type": "confidential", "authorization_grant_type": "client-credentials"}
        model.objects.create(client_id=client_id, client_secret=SECRET, hash_client_secret=hashed, **kind)


def answers(app, token_of_before):
    """Those that the move changes, and those that it should not change."""

    def ask(**form):
        form = {"grant_type": "client_credentials", **form}
        return app.post("/o/token/", form, headers=basic("reader", SECRET), status="*")

    def tell(path, token):
        return app.post(path, {"token": token}, headers=basic("reader", SECRET), status="*")

    def status(method, path, token=""):
        return app.request(path, method=method, headers=bearer(token) if token else {}, status="*").status_int

    issued = ask(scope="reports:read").json
    token = issued.pop("access_token")
    refused = app.post("/reports", headers=bearer(token), status=403)
    same = {
        "issued": issued,
        "the scope, if the request names none": ask().json["scope"],
        "a scope that no client may have": [ask(scope="admin").status_int, ask(scope="admin").json["error"]],
        "read": app.get("/reports", headers=bearer(token)).json,
        "without a token": [status("GET", "/reports"), status("GET", "/health")],
        "introspected": tell("/o/introspect/", token).json["active"],
        "revoked": [tell("/o/revoke_token/", token).status_int, status("GET", "/reports", token)],
    }
    changed = {
        "a path that has no route and is not public": status("GET", "/nothing"),
        "a parameter of the token request sent twice": ask(scope=["reports:read", "reports:read"]).status_int,
        "the error code in the body of a 403": refused.json.get("error", "none"),
        "a token that was issued before": status("GET", "/reports", token_of_before or ask().json["access_token"]),
    }
    return {"same": same, "changed": changed, "token": ask().json["access_token"]}


if __name__ == "__main__":
    site = importlib.import_module(sys.argv[1])
    if sys.argv[1] == "before":
        prepare()
    print(json.dumps(answers(TestApp(site.application), "".join(sys.argv[2:]))))
