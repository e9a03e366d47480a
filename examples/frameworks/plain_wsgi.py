"""A plain WSGI app behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/plain_wsgi.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import logging
import os

from waitress import serve

from oauth_mw import OAuthMiddleware


def answer(environ):
    client_id = environ.get("oauth_mw.client_id")  # None on a public path
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/health":
            return "200 OK", "ok\n"
        case "GET", "/":
            return "200 OK", f"hello {client_id}, you may {environ['oauth_mw.scope']}\n"
        case "GET", "/reports":
            return "200 OK", f"reports for {client_id}\n"
        case "POST", "/reports":
            return "201 Created", f"report filed by {client_id}\n"
    return "404 Not Found", "there is nothing here\n"


def app(environ, start_response):
    status, text = answer(environ)
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


application = OAuthMiddleware(
    app,
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # where it serves, and what is refused
    serve(application, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
