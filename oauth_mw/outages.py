"""Outages of the store, as the log has them: one warning when the store is gone, and one when it is back."""

from __future__ import annotations

from threading import Lock
from wsgiref.types import WSGIEnvironment

from .events import REPEAT_SECONDS, Sink, StoreBack, StoreFailed
from .model import Clock
from .processes import PerProcess

_NO_REQUEST: WSGIEnvironment = {}

GUARD = ""


class Outages:
    """Emit an event when the store goes away, and one when it is back.

    It is back when one of the places where it failed gets what it needs: an endpoint that writes may fail while others
    can read. An outage that begins within ``REPEAT_SECONDS`` of the event of another one is emitted only if it lasts
    longer, so a store that fails now and then is two events a minute.

    A place is the path of an endpoint, or ``GUARD``. However many threads notice it at once, one of them emits.

    :param monotonic: a clock that never goes back.
    """

    def __init__(self, emit: Sink, monotonic: Clock) -> None:
        self._emit = emit
        self._monotonic = monotonic
        self._places: frozenset[str] = frozenset()  # where it fails
        self._since = 0.0
        self._is_emitted = False
        self._quiet_until = float("-inf")
        self._lock = PerProcess(Lock).get

    def failed(self, reason: str, place: str = GUARD) -> None:
        """The store did not do what was needed at this place."""
        now = self._monotonic()
        with self._lock():
            if not self._places:
                self._since = now
            self._places |= {place}
            is_due = not self._is_emitted and now >= self._quiet_until
            if is_due:
                self._is_emitted, self._quiet_until = True, now + REPEAT_SECONDS
        if is_due:
            self._emit(StoreFailed(reason), _NO_REQUEST)

    def answered(self, place: str = GUARD) -> None:
        """The store did all that was needed at this place."""
        if not self._places or (place not in self._places and self._places != {GUARD}):
            return
        with self._lock():
            since, is_emitted = self._since, self._is_emitted
            self._places, self._is_emitted = frozenset(), False
        if is_emitted:
            self._emit(StoreBack(round(self._monotonic() - since)), _NO_REQUEST)

    def polled(self, failure: str) -> None:
        """The revocation log was read; or it was not, for the reason in ``failure``."""
        if failure:
            self.failed(failure)
        else:
            self.answered()
