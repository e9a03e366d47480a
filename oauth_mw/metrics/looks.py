"""Looks at the store for the metrics, which must not hang where the store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..deadlines import RequestDeadline
from ..errors import StoreUnavailable
from ..model import Clock
from ..processes import PerProcess
from ..threads import begin

FRESH_SECONDS = 1.0  # for which a look counts
WAIT_SECONDS = 0.5  # that a scrape waits for a look


class _State:
    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.is_running = self.is_up = False
        self.began = self.done = float("-inf")


class Looks:
    """Whether the store answers, by one look a second at most, in a thread.

    :param look: looks at the store, or raises ``StoreUnavailable``.
    :param monotonic: a clock that never goes back.
    """

    def __init__(self, look: Callable[[], None], monotonic: Clock) -> None:
        self._look = look
        self._monotonic = monotonic
        self._state = PerProcess(_State).get

    def begin(self) -> None:
        """Begin a look, unless one is under way or done a moment ago."""
        state = self._state()
        with state.condition:
            self._begin(state)

    def is_up(self) -> bool:
        """Return whether the store answers now. A look that takes longer than ``WAIT_SECONDS`` counts as none."""
        state = self._state()
        with state.condition:
            self._begin(state)
            left = state.began + WAIT_SECONDS - time.monotonic()
            state.condition.wait_for(lambda: not state.is_running, max(left, 0))
            return state.is_up and not state.is_running

    def _begin(self, state: _State) -> None:
        if state.is_running or self._monotonic() < state.done + FRESH_SECONDS:
            return
        state.is_running, state.began = True, time.monotonic()
        try:
            begin(self._run, state, name="oauth_mw looks at the store")
        except RuntimeError:  # no more threads: the deadline bounds all but the look-up of a name
            with RequestDeadline(WAIT_SECONDS):
                self._run(state)

    def _run(self, state: _State) -> None:
        is_up = False
        try:
            self._look()
            is_up = True
        except StoreUnavailable:
            pass
        finally:
            with state.condition:
                state.is_up, state.is_running, state.done = is_up, False, self._monotonic()
                state.condition.notify_all()
