"""What gunicorn, mod_wsgi and Django's own runserver serve."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from oauth_mw import OAuthMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

application = OAuthMiddleware(
    get_wsgi_application(),
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health", "/admin/*"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)
