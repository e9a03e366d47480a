"""A Pyramid app with routes behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/pyramid_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import logging
import os

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.view import view_config
from waitress import serve

from oauth_mw import OAuthMiddleware
from oauth_mw.contrib.pyramid import require_scope


@view_config(route_name="health")
def health(request):
    return Response("ok\n")


@view_config(route_name="hello")
def hello(request):
    return Response(f"hello {request.environ['oauth_mw.client_id']}, you may {request.environ['oauth_mw.scope']}\n")


@view_config(route_name="audit")
@require_scope("audit")
def audit(request):
    return Response("nothing happened\n")


@view_config(route_name="reports", request_method="GET")
def read(request):
    return Response(f"reports for {request.environ['oauth_mw.client_id']}\n")


@view_config(route_name="reports", request_method="POST")
def write(request):
    return Response(f"report filed by {request.environ['oauth_mw.client_id']}\n", status=201)


with Configurator() as config:
    config.add_route("health", "/health")
    config.add_route("hello", "/")
    config.add_route("audit", "/audit")
    config.add_route("reports", "/reports")
    config.scan(__name__)

app = OAuthMiddleware(
    config.make_wsgi_app(),
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # where it serves, and what is refused
    serve(app, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
