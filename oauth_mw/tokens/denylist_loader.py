"""All that the revocation log alone says, read in parts: that may take longer than a request may wait."""

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
    """There is more, for the next who looks."""


class DenylistLoader:
    """Whoever looks reads on where the one before him stopped.

    :param denylist: where it is gathered.
    :param timeout: seconds that an operation of the store may take; half of them is read in one go.
    """

    def __init__(self, log: RevocationLog, denylist: Denylist, timeout: float) -> None:
        self._log = log
        self._denylist = denylist
        self._timeout = timeout
        self._begun: LogPage | None = None
        self._left: tuple[Any, ...] | None = ()

    def read(self, page: LogPage) -> LogPage:
        """Gather all, and say where the log then stands.

        :param page: where it stands now.
        :raises NotLoaded: it takes longer.
        :raises StoreUnavailable: the store does not answer, or is another one than before.
        """
        begun = self._begun
        if begun is None or begun.store_id != page.store_id:
            self._denylist.begin()
            self._left = ()
            begun = self._begun = page
        until = deadline_in(self._timeout / 2)
        while self._left is not None:
            part = self._log.read_denylist(self._left)
            self._denylist.gather(part.events)
            self._left = part.following
            if self._left is not None and time.monotonic() >= until:
                raise NotLoaded("the revocation log is long, and not read to its end yet")
        # What was appended meanwhile may lie in no part. Nor do parts of two stores make one.
        now = self._log.read_log(begun.store_id, begun.position)
        self._begun = None
        if not now.complete and now[:2] != begun[:2]:
            raise StoreUnavailable("the revocation log is another one than when it was begun to be read")
        self._denylist.gather(now.events)
        return now._replace(events=(), complete=False)


def load_denylist(log: RevocationLog, clock: Clock) -> Denylist:
    """All that the log alone says just now, however long it takes to read it.

    :raises StoreUnavailable: it cannot be read.
    """
    denylist = Denylist(clock)
    DenylistLoader(log, denylist, math.inf).read(log.read_log("", -1))
    denylist.settle()
    return denylist
