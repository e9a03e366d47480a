"""PasteDeploy: ``use = egg:oauth_mw`` in a ``[filter:…]`` or ``[filter-app:…]`` section."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from wsgiref.types import WSGIApplication

from .assembly import judge
from .config import OPTIONS, RENAMED
from .errors import ConfigError, Faults
from .middleware import OAuthMiddleware
from .stores import in_folder

SECRET = "key_encryption_secret"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
COMMENT = re.compile(r"(?:^|\s)[#;]")


def filter_factory(global_conf: Mapping[str, str], **local_conf: Any) -> Callable[[WSGIApplication], OAuthMiddleware]:
    """``paste.filter_factory``: return a function that wraps an app.

    Relative files are relative to the ini's folder. ``[DEFAULT]`` holds no options. ``${NAME}`` in a value is replaced
    from the environment.

    :raises ConfigError: here or when the app is wrapped; it lists every fault.
    """
    faults = Faults()
    options = ini_options(global_conf, local_conf, faults)
    if faults:
        judge(options, faults)
    return lambda app: OAuthMiddleware(app, **options)


def filter_app_factory(app: WSGIApplication, global_conf: Mapping[str, str], **local_conf: Any) -> OAuthMiddleware:
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
                value = from_environment(name, value.replace(here, "\0")).replace("\0", here)
            options[name] = value
    files = options.get("signing_key_files")
    if folder and isinstance(files, str):
        options["signing_key_files"] = [os.path.join(folder, file) for file in files.split()]
    return {**options, "store": in_folder(options.get("store"), folder)}


def from_environment(name: str, value: str, environ: Mapping[str, str] = os.environ) -> str:
    """Replace each ``${NAME}`` in the value of an option from the environment, percent-encoded inside a URL.

    The URL of an SQLite file is a path, in which nothing is encoded.

    :raises ConfigError: a variable is not set, or its notation is malformed.
    """
    if "${" in VARIABLE.sub("", value):
        raise ConfigError(name, "expected ${NAME}, with a name of letters, digits and _, closed by }")
    missing = [each for each in dict.fromkeys(VARIABLE.findall(value)) if each not in environ]
    if missing:
        raise ConfigError(name, f"the environment has no variable {' and no '.join(missing)}: set it")
    return re.sub(r"\S+", lambda word: _substitute(word[0], environ), value)


def _substitute(word: str, environ: Mapping[str, str]) -> str:
    is_url = "://" in word and not word.startswith("sqlite:")

    def text(variable: re.Match[str]) -> str:
        found = environ[variable[1]]
        return quote(found, safe="", errors="surrogateescape") if is_url else found

    return VARIABLE.sub(text, word)


def _refuse_comment(name: str, value: str, here: str) -> None:
    """Raise ``ConfigError`` for a comment behind a value: an ini has them only on lines of their own."""
    line = next((line for line in value.splitlines() if COMMENT.search(line)), None)
    if line is None:
        return
    meant = COMMENT.split(line)[0].strip().replace("\0", here)
    shown = meant and OPTIONS[name].repr and "@" not in meant  # a URL may contain a password
    hint = f"; did you mean {meant!r}?" if shown else ""
    if name == SECRET:
        hint = "; a secret with a # or ; of its own comes from the environment, as ${NAME}"
    raise ConfigError(name, f"a comment behind a value is part of it in an ini: put it on a line of its own{hint}")
