"""The app that takes over from an Apigee organisation: its base paths are mounts, and its flows are rules."""

from __future__ import annotations

import os

from flask import Flask, request

from helpers.apigee_organisation import FLOWS
from oauth_mw import OAuthMiddleware

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(  # type: ignore[method-assign]
    app.wsgi_app,
    store=os.environ["OAUTH_MW_STORE"],
    required_scopes=[
        *((each.method or "*", f"{each.path}/*", "any of " + " ".join(each.scopes)) for each in FLOWS),
        ("*", "/v1/orders/*", "-"),
    ],
    grant_type_in=["body", "query"],
    scope_policy="narrow",
    compatibility="apigee",
)


@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def anything(path: str) -> str:
    return str(request.environ["oauth_mw.client_id"])
