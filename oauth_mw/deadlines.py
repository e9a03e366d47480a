"""How long a request may wait for the store: one time for all that it asks."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from types import TracebackType


class RequestDeadline:
    """``with`` this, all questions of one thread or greenlet end within ``seconds`` of the first.

    The time begins with the first question, not with the request: who sends slowly has his own.
    """

    __slots__ = ("_before", "_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._before: Token[RequestDeadline | None]

    def __enter__(self) -> None:
        self._before = _current.set(self)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _current.reset(self._before)

    def until(self, now: float) -> float:
        if self._until is None:
            self._until = now + self._seconds
        return self._until


# A context is a greenlet's own also where gevent came too late to patch threads.
_current: ContextVar[RequestDeadline | None] = ContextVar("_current", default=None)


def deadline_in(seconds: float) -> float:
    """When a question that may take ``seconds`` must be over, on the monotonic clock; sooner where its request must."""
    now = time.monotonic()
    current = _current.get()
    return now + seconds if current is None else min(now + seconds, current.until(now))
