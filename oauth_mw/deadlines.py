"""How long a request may wait for the store: one deadline for all of its store calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType


class RequestDeadline:
    """Share one deadline among all store calls made inside, in this thread or greenlet.

    It is ``seconds`` after the first call, not the request, so time spent reading a slow client's body does not count.
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
        """Return the deadline; the first call sets it. Both are seconds of the monotonic clock."""
        if self._until is None:
            self._until = now + self._seconds
        return self._until

    def put_off(self, seconds: float) -> None:
        """Move the deadline, if a call has set it."""
        if self._until is not None:
            self._until += seconds


# A context variable, not a thread local: each greenlet has its own context, even if gevent did not patch threads.
_current: ContextVar[RequestDeadline | None] = ContextVar("_current", default=None)


def deadline_in(seconds: float) -> float:
    """Return when a store call that may take ``seconds`` must be done, on the monotonic clock.

    Inside a :class:`RequestDeadline` this is never later than the request's own deadline.
    """
    now = time.monotonic()
    current = _current.get()
    return now + seconds if current is None else min(now + seconds, current.until(now))


@contextmanager
def uncounted() -> Iterator[None]:
    """Do not count the time that is spent inside against the deadline of the request, which does not hold there."""
    current, before, began = _current.get(), _current.set(None), time.monotonic()
    try:
        yield
    finally:
        _current.reset(before)
        if current is not None:
            current.put_off(time.monotonic() - began)
