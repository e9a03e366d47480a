"""When clients and their secrets were used last. Each worker notes that in the store at most once an hour.

A request pays for a look into a dictionary. A thread writes what is due, and ends; where no thread can run, the worker
writes after an answer. If the store does not take it, it is kept and tried again, and no request fails or waits.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from weakref import WeakSet

from .deadlines import RequestDeadline
from .errors import StoreUnavailable
from .model import Clock
from .processes import PerProcess
from .threads import begin, can_run

NOTE_SECONDS = 3600
RETRY_SECONDS = 10
# The most secrets whose uses are remembered, and as many that wait to be written.
MAX_NOTED = 20_000
AFTER_ANSWER_SECONDS = 0.25  # for a write that the next request of this worker may have to wait for
EXIT_SECONDS = 1.0  # for all that is left at the exit, together

log = logging.getLogger("oauth_mw")


class _Notes:
    """What one process has noted: when, by client and secret, and what of that is not in the store yet.

    :ivar is_writing: a write is under way, or about to begin.
    :ivar failed_at: the Unix second of the last write, if that failed.
    """

    def __init__(self) -> None:
        self.written = threading.Condition()
        self.noted: dict[tuple[str, str], float] = {}
        self.waiting: dict[tuple[str, str], int] = {}
        self.is_writing = False
        self.failed_at: float | None = None


class LastUses:
    """Notes that a client was authenticated by one of its secrets.

    :param note_uses: :meth:`oauth_mw.protocols.TokenStore.note_uses`.
    :param clock: Unix seconds.
    :param at_once: write in the request itself: the store is in this process's memory.
    """

    def __init__(
        self, note_uses: Callable[[Mapping[tuple[str, str], int]], None], clock: Clock, *, at_once: bool = False
    ) -> None:
        self._note_uses = note_uses
        self._clock = clock
        self._at_once = at_once
        self._notes = PerProcess(_Notes)
        self._is_due_after_answer = False
        _live.add(self)

    def note(self, client_id: str, secret_id: str, now: float) -> None:
        """Note a use at ``now``, in Unix seconds. It raises nothing, and does not wait for the store."""
        notes = self._notes.get()
        # The clock may have been set back since then.
        is_noted = 0 <= now - notes.noted.get((client_id, secret_id), 0) < NOTE_SECONDS
        if not is_noted or notes.failed_at is not None:
            self._note(notes, client_id, secret_id, now, is_noted=is_noted)

    def after(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of an answer; if something is to be written and no thread can do it, its ``close`` does."""
        return _Closing(body, self._write_after_answer) if self._is_due_after_answer else body

    def settle(self, seconds: float) -> bool:
        """Wait until no write is under way, at most for so many seconds. Return whether all is written."""
        if self._is_due_after_answer:
            self._write_after_answer()
        notes = self._notes.get()
        with notes.written:
            notes.written.wait_for(lambda: not notes.is_writing, max(seconds, 0))
            return not (notes.is_writing or notes.waiting)

    def _note(self, notes: _Notes, client_id: str, secret_id: str, now: float, *, is_noted: bool) -> None:
        with notes.written:
            if not is_noted and len(notes.waiting) < 2 * MAX_NOTED:  # else the next use tries again
                if len(notes.noted) >= MAX_NOTED:
                    notes.noted.clear()
                notes.noted[client_id, secret_id] = now
                notes.waiting[client_id, secret_id] = notes.waiting[client_id, ""] = int(now)
            if notes.is_writing or (notes.failed_at is not None and 0 <= now - notes.failed_at < RETRY_SECONDS):
                return
            notes.is_writing = True
        if self._at_once:
            self._write(notes)
        elif not self._begin(notes):
            self._is_due_after_answer = True

    def _begin(self, notes: _Notes) -> bool:
        """Begin to write in a thread; false if none can run."""
        if not can_run():
            return False
        try:
            begin(self._write, notes, name="oauth_mw notes last uses")
        except RuntimeError:
            return False
        return True

    def _write_after_answer(self) -> None:
        self._is_due_after_answer = False
        with RequestDeadline(AFTER_ANSWER_SECONDS):
            self._write(self._notes.get())

    def _write(self, notes: _Notes) -> None:
        """Write until nothing waits any more, or until the store fails."""
        while True:
            with notes.written:
                uses, notes.waiting = notes.waiting, {}
                if not uses:
                    return self._end(notes, None)
            try:
                self._note_uses(uses)
            except StoreUnavailable:  # requests report it
                with notes.written:
                    notes.waiting = {**uses, **notes.waiting}
                    return self._end(notes, self._clock())
            except Exception:
                log.exception("the last uses of some clients could not be written")

    def _end(self, notes: _Notes, failed_at: float | None) -> None:
        notes.is_writing, notes.failed_at = False, failed_at
        notes.written.notify_all()


class _Closing:
    """A body whose ``close`` does something more."""

    def __init__(self, body: Iterable[bytes], work: Callable[[], None]) -> None:
        self._body = body
        self._work = work

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._work()


_live: WeakSet[LastUses] = WeakSet()


def _finish() -> None:
    """A process may end right after its first request."""
    until = time.monotonic() + EXIT_SECONDS
    for each in list(_live):
        each.settle(until - time.monotonic())


atexit.register(_finish)
