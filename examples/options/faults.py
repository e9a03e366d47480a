"""Show how faults of a configuration stop the start: all together, each with the name of its option.

python examples/options/faults.py
"""

from __future__ import annotations

from oauth_mw import ConfigError, OAuthMiddleware


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


try:
    OAuthMiddleware(
        app,
        store="oauth.db",
        public_path=["/health"],
        required_scopes=["/reports/* reports:read"],
        access_token_lifetime="an hour",
    )
except ConfigError as error:
    print(error)
