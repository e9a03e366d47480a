"""``on_refusal``: a function of the house that gives refusals of the guard another body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

from .answers import Answer
from .errors import EndpointError, OAuthError
from .events import HookFailed
from .functions import failure_of, load_function

NAME = "on_refusal"
EXPECTED = "expected a function of (environ, refusal), which returns (content type, bytes) or None"

_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?: *;[\x20-\x7e]+)?", re.ASCII)


class Refusal(NamedTuple):
    """A refusal, as far as the client may know it.

    :ivar status: 400, 401, 403 or 503.
    :ivar error: the code of RFC 6750 §3.1, ``missing_token`` for a request without a token, or
        ``temporarily_unavailable``.
    :ivar description: the sentence that our own body has.
    :ivar needed: the scope that the request needs, in the notation of a rule; may be empty.
    """

    status: int
    error: str
    description: str
    needed: str


Hook = Callable[[WSGIEnvironment, Refusal], tuple[str, bytes] | None]
Render = Callable[[OAuthError, WSGIEnvironment], Answer]


class _Wrong(Exception):
    """What the function returned cannot be a body."""


def load_hook(given: str | Hook | None) -> Hook | None:
    """Return the function that the option names.

    :raises ConfigError: it cannot be imported, or cannot be called with two arguments.
    """
    return None if given is None else load_function(NAME, given, EXPECTED, 2)


def with_own_bodies(hook: Hook, report: Callable[[HookFailed], None], ours: Render) -> Render:
    """Return a function that renders refusals as ``ours``, but with the bodies of ``hook``.

    If the hook returns ``None``, or fails, the body is ours.
    """

    def render(error: OAuthError, environ: WSGIEnvironment) -> Answer:
        answer = ours(error, environ)
        if isinstance(error, EndpointError):  # OAuth clients parse it
            return answer
        try:
            found: object = hook(environ, Refusal(int(error.status[:3]), error.error, error.description, error.needed))
            return answer if found is None else answer.with_body(*_checked(found))
        except _Wrong as wrong:
            report(HookFailed(NAME, str(wrong)))
        except BaseException as failure:
            report(HookFailed(NAME, failure_of(failure)))
        return answer

    return render


def _checked(found: object) -> tuple[str, bytes]:
    if not isinstance(found, tuple) or len(found) != 2:
        raise _Wrong(f"it returned {type(found).__name__}, not (content type, bytes)")
    content_type, body = found
    if not isinstance(content_type, str) or not _CONTENT_TYPE.fullmatch(content_type):
        raise _Wrong("the content type that it returned is not one, such as application/json")
    if not isinstance(body, bytes):
        raise _Wrong(f"the body that it returned is {type(body).__name__}, not bytes")
    return str.__str__(content_type), body  # servers take no subclass in a header
