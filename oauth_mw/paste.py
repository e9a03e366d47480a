"""PasteDeploy: ``use = egg:oauth_mw`` in a ``[filter:…]`` or ``[filter-app:…]`` section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .middleware import OAuthMiddleware
from .stores import in_folder

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def filter_factory(global_conf: Mapping[str, str], **local_conf: Any) -> Callable[[WSGIApplication], OAuthMiddleware]:
    """``paste.filter_factory``: a function that wraps an app.

    A relative ``store`` is relative to the ini's folder. What stands in ``[DEFAULT]`` is no option.

    :raises ConfigError: when the app is wrapped, naming the option.
    """
    options = {**local_conf, "store": in_folder(local_conf.get("store"), global_conf.get("here"))}
    return lambda app: OAuthMiddleware(app, **options)


def filter_app_factory(app: WSGIApplication, global_conf: Mapping[str, str], **local_conf: Any) -> OAuthMiddleware:
    """``paste.filter_app_factory``: the wrapped app.

    :raises ConfigError: naming the option.
    """
    return filter_factory(global_conf, **local_conf)(app)
