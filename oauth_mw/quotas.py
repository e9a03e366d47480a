"""Quotas of tokens: how many a client is issued in an hour and in a day, in windows of UTC.

They are counted in the store, so that they hold for all workers together and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from .errors import TooManyRequests
from .events import QuotaExceeded, Sink
from .model import REPORT, Client, Clock, Count, Counted
from .protocols import TokenStore

WINDOWS = {"hour": 3600, "day": 24 * 3600}
MAX_REMEMBERED = 1000  # windows that a worker knows to be full, and those that it has reported

# Counts, in one step with what it adds to the store if it adds something.
Step = Callable[[Sequence[Count]], Counted]


class _Quota(NamedTuple):
    window: str
    limit: int
    until: int

    def one_more(self, client_id: str, *, enforced: bool) -> Count:
        key = sha256(f"tokens {self.window} {self.until} {client_id}".encode()).digest()
        return Count(key, self.limit if enforced else None, self.until)


def has_quota(client: Client) -> bool:
    return client.tokens_per_hour is not None or client.tokens_per_day is not None


class Quotas:
    """Counts the tokens of clients that have a quota.

    A client's record decides, as it was read when the client was authenticated: a change holds from the next request
    on. What was counted in the present windows stays counted, whatever the mode and the limits were.
    """

    def __init__(self, store: TokenStore, clock: Clock, emit: Sink) -> None:
        self._store = store
        self._clock = clock
        self._emit = emit
        self._reported: dict[tuple[str, _Quota], object] = {}
        # By client, window and its end: what was counted when a quota was found full. Counters never go down.
        self._used: dict[tuple[str, str, int], int] = {}

    def check(self, client: Client) -> None:
        """Refuse a client whose quota this worker knows to be used up: without the store, and before any other work.

        :raises TooManyRequests: it is, and enforced.
        """
        if client.quota_mode != REPORT:
            now = int(self._clock())
            used = {
                quota: self._used.get((client.client_id, quota.window, quota.until), 0)
                for quota in _quotas_of(client, now)
            }
            self._refuse(client, [quota for quota, value in used.items() if value >= quota.limit], now)

    def take(self, client: Client, step: Step | None = None) -> None:
        """Count one token of a client that has a quota.

        :param step: adds the token in the same step; ``None`` for a token that has no row.
        :raises TooManyRequests: the quota is used up and enforced; nothing was counted or added.
        :raises StoreUnavailable: the store did not answer. It may have counted.
        """
        self.check(client)
        now = int(self._clock())
        quotas, enforced = [*_quotas_of(client, now)], client.quota_mode != REPORT
        counted = (step or self._store.count)([each.one_more(client.client_id, enforced=enforced) for each in quotas])
        if counted.full:
            if len(self._used) >= MAX_REMEMBERED:
                self._used.clear()
            for place in counted.full:
                self._used[client.client_id, quotas[place].window, quotas[place].until] = counted.values[place]
            self._refuse(client, [quotas[place] for place in counted.full], now)
        for quota, value in zip(quotas, counted.values, strict=True):
            if value > quota.limit:
                self._report(client, quota, value)

    def _refuse(self, client: Client, full: Sequence[_Quota], now: int) -> None:
        """
        :raises TooManyRequests: a quota is full; it can be retried when the last of them is not.
        """
        if full:
            last = max(full, key=lambda quota: quota.until)
            reason = f"the quota of tokens per {last.window} is used up"
            raise TooManyRequests(reason, max(last.until - now, 1), client.client_id)

    def _report(self, client: Client, quota: _Quota, value: int) -> None:
        """Emit an event, once in a window and for a limit."""
        if len(self._reported) >= MAX_REMEMBERED:
            self._reported.clear()
        mine = object()
        # Exactly one of several threads finds its own object.
        if self._reported.setdefault((client.client_id, quota), mine) is mine:
            event = QuotaExceeded(client.client_id, quota.window, quota.limit, value, client.name)
            self._emit(event, {})


def _quotas_of(client: Client, now: int) -> Iterator[_Quota]:
    limits = {"hour": client.tokens_per_hour, "day": client.tokens_per_day}
    for window, limit in limits.items():
        if limit is not None:
            seconds = WINDOWS[window]
            yield _Quota(window, limit, (now // seconds + 1) * seconds)
