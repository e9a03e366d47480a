from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from oauth_mw import OAuthMiddleware

application = OAuthMiddleware(
    get_wsgi_application(),
    store=os.environ["STORE"],
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("*", "/reports/*", "reports:write")],
)
