"""PasteDeploy: ``use = egg:oauth_mw`` in a ``[filter:…]`` or ``[filter-app:…]`` section."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .config import OPTIONS, RENAMED
from .errors import ConfigError
from .middleware import OAuthMiddleware
from .stores import in_folder

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SECRET = "key_encryption_secret"
COMMENT = re.compile(r"(?:^|\s)[#;]")


def filter_factory(global_conf: Mapping[str, str], **local_conf: Any) -> Callable[[WSGIApplication], OAuthMiddleware]:
    """``paste.filter_factory``: a function that wraps an app.

    Relative files are relative to the ini's folder. What stands in ``[DEFAULT]`` is no option.

    :raises ConfigError: at once or when the app is wrapped, naming the option.
    """
    options = ini_options(global_conf, local_conf)
    return lambda app: OAuthMiddleware(app, **options)


def filter_app_factory(app: WSGIApplication, global_conf: Mapping[str, str], **local_conf: Any) -> OAuthMiddleware:
    """``paste.filter_app_factory``: the wrapped app.

    :raises ConfigError: naming the option.
    """
    return filter_factory(global_conf, **local_conf)(app)


def ini_options(global_conf: Mapping[str, str], local_conf: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an ini's section, with the files that they name where the ini means them to be.

    :raises ConfigError: what an ini makes of the section is hardly what was meant.
    """
    # PasteDeploy drops from every section, without a word, what has the name of a variable.
    for name in [*OPTIONS, *RENAMED, "filter-with"]:
        if name in global_conf:
            raise ConfigError(
                name,
                "[DEFAULT], a 'set' or the loader has a variable of this name, for which PasteDeploy drops the option"
                " from its section: rename the variable in [DEFAULT]",
            )
    folder = global_conf.get("here")
    for name, value in local_conf.items():
        if name in OPTIONS and name != SECRET and isinstance(value, str):
            _refuse_comment(name, value, folder or "\0")
    return beside_ini(local_conf, folder)


def _refuse_comment(name: str, value: str, folder: str) -> None:
    """An ini has comments on lines of their own alone: behind a value they become part of it."""
    # The ini's folder may have any name.
    line = next((line for line in value.splitlines() if COMMENT.search(line.replace(folder, "-"))), None)
    if line is None:
        return
    meant = COMMENT.split(line)[0].strip()
    shown = meant and OPTIONS[name].repr and "@" not in meant  # there may be a password in a URL
    hint = f"; did you mean {meant!r}?" if shown else ""
    raise ConfigError(name, f"a comment behind a value is part of it in an ini: put it on a line of its own{hint}")


def beside_ini(options: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    """The options of an ini in ``folder``, with the files that they name where the ini means them to be."""
    files = options.get("signing_key_files")
    if folder and isinstance(files, str):
        options = {**options, "signing_key_files": [os.path.join(folder, file) for file in files.split()]}
    return {**options, "store": in_folder(options.get("store"), folder)}
