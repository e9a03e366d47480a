"""PasteDeploy: ``use = egg:oauth_mw`` in a ``[filter:…]`` or ``[filter-app:…]`` section."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from wsgiref.types import WSGIApplication

from .config import OPTIONS, RENAMED
from .errors import ConfigError, Faults
from .startup import check_options
from .stores import in_folder
from .variables import by_notation, describing, filled

if TYPE_CHECKING:
    from .middleware import OAuthMiddleware

SECRET = "key_encryption_secret"
COMMENT = re.compile(r"(?:^|\s)[#;]")


def filter_factory(
    global_conf: Mapping[str, str], /, **local_conf: Any
) -> Callable[[WSGIApplication], OAuthMiddleware]:
    """``paste.filter_factory``: return a function that wraps an app.

    Relative files are relative to the ini's folder. ``[DEFAULT]`` holds no options. ``${NAME}`` in a value is replaced
    from the environment; ``$${`` is a literal ``${``.

    :raises ConfigError: here or when the app is wrapped; it lists every fault.
    """
    faults = Faults()
    options = ini_options(global_conf, local_conf, faults)
    describe = by_notation(local_conf)
    if faults or options.keys() - OPTIONS.keys():
        with describing(describe):
            check_options(options, faults)

    def wrap(app: WSGIApplication) -> OAuthMiddleware:
        from .middleware import OAuthMiddleware  # here, because the command line reads inis without any part

        with describing(describe):
            return OAuthMiddleware(app, **options)

    return wrap


def filter_app_factory(app: WSGIApplication, global_conf: Mapping[str, str], /, **local_conf: Any) -> OAuthMiddleware:
    """``paste.filter_app_factory``: return the wrapped app, or raise ``ConfigError`` with every fault."""
    return filter_factory(global_conf, **local_conf)(app)


def ini_options(global_conf: Mapping[str, str], local_conf: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """The options of an ini's section, with variables and folders put in. Its faults go to ``faults``."""
    # PasteDeploy silently drops an option with the name of a variable from every section.
    for name in [*OPTIONS, *RENAMED, "filter-with"]:
        if name in global_conf:
            faults.add(
                name,
                "[DEFAULT], a 'set' or the loader has a variable of this name, for which PasteDeploy drops the"
                " option from its section: rename the variable in [DEFAULT]",
            )
    folder = global_conf.get("here")
    here = folder or "\0"  # the folder's name must not be read as a comment or a variable
    options: dict[str, Any] = {}
    for name, value in local_conf.items():
        with faults:
            if isinstance(value, str) and name in OPTIONS:
                _refuse_comment(name, value.replace(here, "\0"), here)
                value = filled(name, value.replace(here, "\0"), here)
            options[name] = value
    files = options.get("signing_key_files")
    if folder and isinstance(files, str):
        options["signing_key_files"] = [os.path.join(folder, file) for file in files.split()]
    return {**options, "store": in_folder(options.get("store"), folder)}


def _refuse_comment(name: str, value: str, here: str) -> None:
    """Raise ``ConfigError`` for a comment after a value: an ini has them only on lines of their own."""
    line = next((line for line in value.splitlines() if COMMENT.search(line)), None)
    if line is None:
        return
    meant = COMMENT.split(line)[0].strip().replace("\0", here)
    shown = meant and OPTIONS[name].repr and "@" not in meant  # a URL may contain a password
    hint = f"; did you mean {meant!r}?" if shown else ""
    if name == SECRET:
        hint = "; if the secret itself has a # or ;, set it in the environment and write ${NAME}"
    raise ConfigError(name, f"a comment after a value is part of it in an ini: put it on a line of its own{hint}")
