"""Count the requests of clients that have a rate limit, and refuse those beyond it.

A window has the length of the rate's unit and begins at a multiple of it, in Unix time: the limit holds exactly within
each minute of the clock, and a client may send all requests of two windows at the boundary between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import blake2s
from math import ceil
from threading import Lock
from wsgiref.types import WSGIEnvironment

from .answers import Header
from .deadlines import RequestDeadline
from .errors import RateLimited, StoreUnavailable
from .model import AccessToken, Check, Clock, Count, Counted
from .processes import PerProcess
from .rates import Rate

# After the store has not answered, a worker counts by itself, and one request in so many seconds asks the store again.
PAUSE_SECONDS = 1.0
RETRY_WAIT = 0.25  # seconds that this one may wait
MANY = 1024  # windows, before those that are over are removed
POLICY = "requests"  # names the limit in the headers

CountInStore = Callable[[Sequence[Count]], Counted]


# A client, the length of a window, and the Unix second at which it ends.
_Window = tuple[str, int, int]


class RateLimits:
    """The windows of all limited clients.

    :param clock: Unix seconds.
    :param count: counts in the store, for all workers together; ``None``: each worker counts by itself. If the store
        does not answer, a worker counts by itself, too: a limit on requests is no reason to refuse all of them.
    :param timeout: seconds that a request may wait for the store.
    """

    def __init__(
        self,
        clock: Clock,
        count: CountInStore | None = None,
        *,
        timeout: float = 5.0,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._clock = clock
        self._count = count
        self._timeout = timeout
        self._monotonic = monotonic
        self._used: dict[_Window, int] = {}
        self._many = MANY
        self._has_failed = False
        self._pause_until = 0.0  # if it has failed
        self._lock = PerProcess(Lock).get

    def check(self, rate: Rate) -> Check:
        """Return the check of a client with this limit. It raises :class:`~oauth_mw.errors.RateLimited`."""

        def check_rate(environ: WSGIEnvironment, token: AccessToken) -> None:
            now = self._clock()
            until = (int(now // rate.seconds) + 1) * rate.seconds
            if self._use((token.client_id, rate.seconds, until), rate.amount, now):
                return
            wait = max(ceil(until - now), 1)
            reason = "more requests than the rate limit"
            raise RateLimited(reason, wait, token.client_id, token.token_id, _headers(rate, wait))

        return check_rate

    def __len__(self) -> int:
        """The number of windows in memory: those of limited clients that have sent requests lately."""
        return len(self._used)

    def _use(self, window: _Window, amount: int, now: float) -> bool:
        """Count a request; false if the limit is reached already."""
        # While the store is asked, further requests may be counted there, but none that this worker refuses already.
        if self._used.get(window, 0) >= amount:
            return False
        if self._count is not None and self._is_asked():
            used = self._used_in_store(self._count, window, amount)
            if used is not None:
                with self._lock():
                    self._note(window, max(self._used.get(window, 0), min(used, amount)), now)
                return used <= amount
        with self._lock():
            used = self._used.get(window, 0)
            if used >= amount:
                return False
            self._note(window, used + 1, now)
            return True

    def _is_asked(self) -> bool:
        """Whether this request asks the store."""
        if not self._has_failed:
            return True
        now = self._monotonic()
        with self._lock():
            is_due = now >= self._pause_until
            if is_due:
                self._pause_until = now + PAUSE_SECONDS
            return is_due

    def _used_in_store(self, count: CountInStore, window: _Window, amount: int) -> int | None:
        """How many requests were counted in the store, with this one; ``None`` if it does not answer."""
        client_id, seconds, until = window
        key = blake2s(f"requests {seconds} {until} {client_id}".encode(), digest_size=32).digest()
        try:
            with RequestDeadline(min(self._timeout, RETRY_WAIT) if self._has_failed else self._timeout):
                counted = count([Count(key, amount, until)])
        except StoreUnavailable:
            self._has_failed, self._pause_until = True, self._monotonic() + PAUSE_SECONDS
            return None
        self._has_failed = False
        return amount + 1 if counted.full else counted.values[0]

    def _note(self, window: _Window, used: int, now: float) -> None:
        if window not in self._used and len(self._used) >= self._many:
            self._used = {each: count for each, count in self._used.items() if each[2] > now}
            self._many = max(MANY, 2 * len(self._used))
        self._used[window] = used


def _headers(rate: Rate, wait: int) -> list[Header]:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10, for a client that has no requests left."""
    policy = f'"{POLICY}";q={rate.amount};w={rate.seconds}'
    return [("RateLimit-Policy", policy), ("RateLimit", f'"{POLICY}";r=0;t={wait}')]
