"""A Paste ini with the filter egg:oauth_mw: a public path, one for any client, and one with scope rules.

    oauth-mw --config examples/frameworks/paste_app.ini client add "Report job" --scope reports:read
    python examples/frameworks/paste_serve.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variable PORT (default: 8080) changes the port; the store is the one that the ini names.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from paste.deploy import loadapp, loadserver
from webob import Response
from webob.dec import wsgify


@wsgify
def app(request):
    client_id = request.environ.get("oauth_mw.client_id")  # None on a public path
    match request.method, request.path_info:
        case "GET", "/health":
            return Response("ok\n", content_type="text/plain")
        case "GET", "/":
            scope = request.environ["oauth_mw.scope"]
            return Response(f"hello {client_id}, you may {scope}\n", content_type="text/plain")
        case "GET", "/reports":
            return Response(f"reports for {client_id}\n", content_type="text/plain")
        case "POST", "/reports":
            return Response(f"report filed by {client_id}\n", 201, content_type="text/plain")
    return Response("there is nothing here\n", 404, content_type="text/plain")


def make_app(global_conf, **local_conf):
    """``paste.app_factory``: what the ini names."""
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # where it serves, and what is refused
    config = f"config:{Path(__file__).resolve().with_name('paste_app.ini')}"
    serve = loadserver(config, global_conf={"port": os.environ.get("PORT", "8080")})
    serve(loadapp(config))
