"""What the command line says about errors, and its exit codes."""

from __future__ import annotations

import errno

from ..errors import AdminError, ConfigError, NotFound, StoreUnavailable

REFUSED, MISCONFIGURED, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 4


class DeploymentUnavailable(Exception):
    """A running deployment does not answer, not in time, or with the error of a server."""


def answer(error: Exception) -> tuple[int, list[str]] | None:
    """The exit code, and a line for each fault; ``None`` for an error that is none of ours."""
    match error:
        case ConfigError():
            return MISCONFIGURED, [f"{name}: {fault}" for name, fault in error.faults]
        case StoreUnavailable():
            return UNAVAILABLE, [f"the store does not answer: {error.reason}", *getattr(error, "__notes__", ())]
        case DeploymentUnavailable():
            return UNAVAILABLE, [str(error)]
        case UnicodeEncodeError():
            return MISCONFIGURED, ["an argument is not UTF-8"]
        case OSError(errno=errno.EPIPE):  # click ends silently: what read the output has ended
            return None
        case NotFound():
            return NOT_FOUND, [str(error)]
        case AdminError() | OSError():
            return REFUSED, [str(error)]
    return None
