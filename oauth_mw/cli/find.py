"""Import the app that ``MODULE:APP`` names, or ``MODULE:make()`` for a factory, and find the middleware in it."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterable
from importlib import import_module
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from ..apps import is_asgi
from ..config import Settings, first_paths
from ..errors import ConfigError, MethodNotAllowed
from ..events import unlogged
from ..finding import middlewares
from ..metrics import FOLDER

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?(#.*)?")


class Found(NamedTuple):
    """A middleware in an app.

    ``place`` is how it was reached, and ``mount`` the path at which the app behind it is. ``fault`` says why it is not
    sure that requests reach it: one with GET on its token path was not answered by it. It is empty if it was.
    """

    settings: Settings
    place: str
    mount: str
    fault: str


def is_app(config: str) -> bool:
    """True for ``MODULE:APP``, false for the name of an ini."""
    file = config.partition("#")[0]
    return bool(_REFERENCE.fullmatch(config)) and not file.endswith(".ini") and not os.path.exists(file)


def find(config: str) -> list[Found]:
    """Import the app, and find each middleware in it; ``#NAME`` chooses by place or mount.

    :raises ConfigError: the app cannot be imported, no middleware is found, or none of this name.
    """
    reference, _, name = config.partition("#")
    _count_apart()
    app = load(reference)
    all_found = [
        Found(each.parts.settings, place, mount, _fault(app, first_paths(each.parts.settings).get("token_path"), mount))
        for each, place, mount in middlewares(app, reference.partition(":")[2])
    ]
    if not all_found and is_asgi(app):
        raise ConfigError(
            reference,
            "is an ASGI app, and no OAuthMiddleware was found in it: wrap what a2wsgi.ASGIMiddleware(app) returns,"
            " and check that",
        )
    if not all_found:
        factory = "" if reference.endswith("()") else f"; if it is a factory, write '{reference}()'"
        raise ConfigError(reference, f"no OAuthMiddleware was found in it{factory}")
    chosen = [each for each in all_found if name in ("", each.place, each.mount)]
    if not chosen:
        places = ", ".join(each.place for each in all_found)
        raise ConfigError(reference, f"#{name} names no middleware in it; these are: {places}")
    return chosen


def _count_apart() -> None:
    """Let metrics of the app go to a folder of this process, which is removed at its end.

    With the environment of the server, the command would be one more of its workers in what Prometheus scrapes.
    """
    counts = os.environ.get(FOLDER)
    if counts and os.access(counts, os.W_OK | os.X_OK):  # of any other folder, the middleware says what is wrong
        own = os.environ[FOLDER] = tempfile.mkdtemp(prefix="oauth_mw")
        atexit.register(shutil.rmtree, own, ignore_errors=True)


def find_one(config: str) -> Found:
    """The same where one is needed."""
    chosen, reference = find(config), config.partition("#")[0]
    if len(chosen) > 1:
        places = ", ".join(f"{reference}#{each.place}" for each in chosen)
        raise ConfigError(reference, f"several middlewares were found in it: choose one of {places}")
    return chosen[0]


def _fault(app: Any, token_path: str | None, mount: str) -> str:
    """Send one GET through the whole app to a token path, where the middleware allows POST alone."""
    if is_asgi(app):
        return "the app is an ASGI app, so no request was sent: its own routes are answered without the middleware"
    if token_path is None:
        return "token_path is off, so it was not tried whether requests reach it"
    started: list[str] = []
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": mount + token_path}
    setup_testing_defaults(environ)
    try:
        with unlogged():
            answer: Iterable[bytes] = app(environ, lambda status, headers, exc_info=None: started.append(status))
            body = b"".join(islice(answer, 10))
    except Exception as error:
        return f"GET {mount}{token_path} raised {type(error).__name__}, so it is not sure that requests reach it"
    refusal = MethodNotAllowed("").response()
    if started[:1] == [refusal.status] and body.startswith(refusal.body[:-1]):  # compatibility adds members
        return ""
    return f"GET {mount}{token_path} was answered {''.join(started[:1])}, not by it: requests may not reach it"


def load(reference: str) -> WSGIApplication:
    """Import ``MODULE:APP``, with the working directory first in the path; ``MODULE:make()`` is called.

    :raises ConfigError: it cannot be imported or called, or the options of a middleware in it are wrong.
    """
    module, _, name = reference.removesuffix("()").partition(":")
    if not module or not name:
        raise ConfigError(reference, "expected MODULE:APP, such as hello:app")
    sys.path.insert(0, os.getcwd())
    try:
        found = attrgetter(name)(import_module(module))
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # a script that exits would look like a check without faults
        raise ConfigError(reference, f"cannot be imported: {type(error).__name__}: {error}{_line_of(error)}") from None
    if reference.endswith("()"):
        found = _made(found, reference)
    if not callable(found):
        raise ConfigError(reference, "is not a WSGI app: it cannot be called")
    app: WSGIApplication = found
    return app


def _made(factory: Any, reference: str) -> Any:
    try:
        return factory()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(reference, f"cannot be called: {type(error).__name__}: {error}") from None


def _line_of(error: BaseException) -> str:
    """The file and line at which the import failed."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if each.filename != __file__ and "importlib" not in each.filename]
    return f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""
