"""OAuth 2.0 client credentials for any WSGI app."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .environ import any_of, current_token, forbidden, refusal
    from .errors import AdminError, ConfigError, NotFound, StoreUnavailable
    from .middleware import OAuthMiddleware
    from .model import AccessToken, Client, ClientSecret
    from .stores import open_store

__all__ = ["AccessToken", "AdminError", "Client", "ClientSecret", "ConfigError", "NotFound", "OAuthMiddleware"]
__all__ += ["StoreUnavailable", "__version__", "any_of", "current_token", "forbidden", "open_store", "refusal"]

# Imported when a name is first used, so that a command line that needs none of them starts quickly.
_MODULES = {
    **dict.fromkeys(("any_of", "current_token", "forbidden", "refusal"), "environ"),
    **dict.fromkeys(("AdminError", "ConfigError", "NotFound", "StoreUnavailable"), "errors"),
    **dict.fromkeys(("AccessToken", "Client", "ClientSecret"), "model"),
    "OAuthMiddleware": "middleware",
    "open_store": "stores",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(globals().keys() | _MODULES.keys())
