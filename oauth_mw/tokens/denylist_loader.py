"""Loading of the denylist in pages, which may take longer than one request may wait."""

from __future__ import annotations

import math
import time
from typing import Any

from ..deadlines import deadline_in
from ..errors import StoreUnavailable
from ..model import Clock, LogPage
from ..protocols import RevocationLog
from .denylist import Denylist


class NotLoaded(StoreUnavailable):
    """The denylist is not fully loaded; the next request continues."""


class DenylistLoader:
    """Loads the denylist in pages. A caller that runs out of time leaves its progress to the next.

    :param denylist: receives the pages.
    :param timeout: seconds that an operation of the store may take; one call reads pages for half of them.
    """

    def __init__(self, log: RevocationLog, denylist: Denylist, timeout: float) -> None:
        self._log = log
        self._denylist = denylist
        self._timeout = timeout
        self._first: LogPage | None = None
        self._next: tuple[Any, ...] | None = ()

    def read(self, page: LogPage) -> LogPage:
        """Gather the whole denylist. Return the log's state at its end.

        :param page: the log's state now.
        :raises NotLoaded: it takes longer.
        :raises StoreUnavailable: the store does not answer, or was replaced meanwhile.
        """
        first = self._first
        if first is None or first.store_id != page.store_id:
            self._denylist.begin()
            self._next = ()
            first = self._first = page
        until = deadline_in(self._timeout / 2)
        while self._next is not None:
            part = self._log.read_denylist(self._next)
            self._denylist.gather(part.events)
            self._next = part.following
            if self._next is not None and time.monotonic() >= until:
                raise NotLoaded("the denylist is long and not fully loaded yet; the next request continues")
        # Events that were appended meanwhile may be in no page, and pages of two stores do not belong together.
        now = self._log.read_log(first.store_id, first.position)
        self._first = None
        if not now.complete and now[:2] != first[:2]:
            raise StoreUnavailable("the store was replaced while the denylist was loaded; the next request starts anew")
        self._denylist.gather(now.events)
        return now._replace(events=(), complete=False)


def load_denylist(log: RevocationLog, clock: Clock) -> Denylist:
    """Load the whole denylist, however long that takes.

    :raises StoreUnavailable: it cannot be read.
    """
    denylist = Denylist(clock)
    DenylistLoader(log, denylist, math.inf).read(log.read_log("", -1))
    denylist.settle()
    return denylist
