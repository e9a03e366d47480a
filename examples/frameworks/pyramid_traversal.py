"""A Pyramid app with traversal behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/pyramid_traversal.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports/2026/q3

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


class Root(dict):
    """The resource at ``/``. It has no children here, so the first segment of every path is the name of a view."""


@view_config(context=Root, name="health")
def health(request):
    return Response("ok\n")


@view_config(context=Root)
def hello(request):
    return Response(f"hello {request.environ['oauth_mw.client_id']}, you may {request.environ['oauth_mw.scope']}\n")


@view_config(context=Root, name="reports", request_method="GET")
def read(request):
    """Serve ``/reports``, and all paths below it: their further segments are ``request.subpath``."""
    return Response(f"{' '.join(request.subpath) or 'reports'} for {request.environ['oauth_mw.client_id']}\n")


@view_config(context=Root, name="reports", request_method="POST")
def write(request):
    return Response(f"report filed by {request.environ['oauth_mw.client_id']}\n", status=201)


with Configurator(root_factory=lambda request: Root()) as config:
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
