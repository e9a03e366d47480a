"""PasteDeploy: ``use = egg:oauth_mw`` in a ``[filter:…]`` or ``[filter-app:…]`` section."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .middleware import OAuthMiddleware
from .stores import in_folder

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def filter_factory(global_conf: Mapping[str, str], **local_conf: Any) -> Callable[[WSGIApplication], OAuthMiddleware]:
    """``paste.filter_factory``: a function that wraps an app.

    Relative files are relative to the ini's folder. What stands in ``[DEFAULT]`` is no option.

    :raises ConfigError: when the app is wrapped, naming the option.
    """
    options = beside_ini(local_conf, global_conf.get("here"))
    return lambda app: OAuthMiddleware(app, **options)


def filter_app_factory(app: WSGIApplication, global_conf: Mapping[str, str], **local_conf: Any) -> OAuthMiddleware:
    """``paste.filter_app_factory``: the wrapped app.

    :raises ConfigError: naming the option.
    """
    return filter_factory(global_conf, **local_conf)(app)


def beside_ini(options: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    """The options of an ini in ``folder``, with the files that they name where the ini means them to be."""
    files = options.get("signing_key_files")
    if folder and isinstance(files, str):
        options = {**options, "signing_key_files": [os.path.join(folder, file) for file in files.split()]}
    return {**options, "store": in_folder(options.get("store"), folder)}
