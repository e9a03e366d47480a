"""A clock that moves only by hand."""

from __future__ import annotations

import time


class HandClock:
    """A clock that stands still until a test moves it.

    :param now: Unix seconds; by default the present.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def __call__(self) -> float:
        """Return the Unix seconds that the clock shows."""
        return self.now

    def move(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``, or back if they are negative."""
        self.now += seconds

    def __repr__(self) -> str:
        return f"HandClock({self.now!r})"
