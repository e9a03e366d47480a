"""OAuth 2.0 client credentials for any WSGI app."""

from __future__ import annotations

from .environ import current_token, forbidden
from .errors import AdminError, ConfigError, NotFound, StoreUnavailable
from .middleware import OAuthMiddleware
from .model import AccessToken, Client, ClientSecret
from .stores import open_store
from .version import __version__

__all__ = [
    "AccessToken",
    "AdminError",
    "Client",
    "ClientSecret",
    "ConfigError",
    "NotFound",
    "OAuthMiddleware",
    "StoreUnavailable",
    "__version__",
    "current_token",
    "forbidden",
    "open_store",
]
