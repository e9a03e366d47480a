"""Functions of the user that options name."""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any

from .errors import ConfigError


def load_function(option: str, given: Any, expected: str, arguments: int) -> Callable[..., Any]:
    """Return the function that an option names, or is.

    :param given: ``module:name``, or the function.
    :param expected: what the fault says that it should be.
    :raises ConfigError: it cannot be imported, or cannot be called with so many arguments.
    """
    found = _imported(option, given) if isinstance(given, str) else given
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise ConfigError(option, f"{expected}, not {found!r}")
    try:
        inspect.signature(found).bind(*[None] * arguments)
    except TypeError as error:
        raise ConfigError(option, f"{expected}: {error}") from None
    except ValueError:
        pass  # a function in C may have no signature
    return found  # type: ignore[no-any-return]


def _imported(option: str, reference: str) -> object:
    module, _, name = reference.partition(":")
    try:
        found: object = attrgetter(name)(import_module(module))
    except (Exception, SystemExit) as error:  # a script that exits would end the start without a word
        raise ConfigError(option, f"{reference} cannot be imported: {type(error).__name__}: {error}") from None
    return found


def failure_of(error: BaseException) -> str:
    """The kind of an exception of such a function, and its place. Its text is left out: it may quote the request.

    Exits and the timeouts of gevent, which are no ``Exception``, are failures of the function, too.

    :raises KeyboardInterrupt: it is one, which is meant for the process.
    """
    if isinstance(error, KeyboardInterrupt):
        raise error
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"it raised {type(error).__name__} ({os.path.basename(frame.f_code.co_filename)}, line {line})"
