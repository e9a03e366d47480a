"""An app at the mount /auth of a site, and how a client finds its token endpoint from a refusal.

python examples/discovery/mounts.py
"""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug import Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware

guarded = OAuthMiddleware(Response("the app\n"), store="memory://", issuer="https://example.com/auth")


def documents(environ, start_response):
    path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    return guarded({**environ, "SCRIPT_NAME": "", "PATH_INFO": path}, start_response)


application = DispatcherMiddleware(
    Response("the site\n"),
    {
        "/auth": guarded,
        "/.well-known/oauth-authorization-server/auth": documents,
        "/.well-known/oauth-protected-resource/auth": documents,
    },
)

if __name__ == "__main__":
    client = Client(application)
    refused = client.get("/auth/reports")
    print(refused.status_code, "from /auth/reports:", refused.headers["WWW-Authenticate"])

    resource = client.get(urlsplit(refused.www_authenticate.parameters["resource_metadata"]).path).json
    (issuer,) = resource["authorization_servers"]
    print("issuer", issuer)

    server = client.get(f"/.well-known/oauth-authorization-server{urlsplit(issuer).path}").json
    print("token endpoint", server["token_endpoint"])
