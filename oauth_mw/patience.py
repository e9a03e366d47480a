"""How long a request may wait for the store: one time for all that it asks."""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType


class _Request(threading.local):
    """The request that this thread is at. Its time begins with the first question: who sends slowly has his own."""

    until = math.inf
    seconds: float | None = None


_request = _Request()


def deadline(seconds: float) -> float:
    """When a question that may take ``seconds`` must be over, on the monotonic clock; sooner where its request must."""
    now = time.monotonic()
    if _request.seconds is not None:
        _request.until, _request.seconds = now + _request.seconds, None
    return min(now + seconds, _request.until)


class Patience:
    """``with`` this, all questions of one thread end within ``seconds`` of the first."""

    __slots__ = ("_before", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = _request.until, _request.seconds
        _request.until, _request.seconds = math.inf, self._seconds

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _request.until, _request.seconds = self._before
