"""Counters of wrong credentials in bounded memory, with the windows of the library ``limits``."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from math import ceil
from threading import Lock

from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from limits import RateLimitItem, RateLimitItemPerSecond

from .model import Clock
from .rates import Rate

SLOTS = 16_384  # of each of four kinds: 2 MB of each while they are full
KEY_BYTES = 8


class Slots(Storage):
    """Counters for one length of window. All windows begin at the same time, so that at their end all are dropped.

    ``limits`` has a storage in memory, too, but it grows with the number of keys, and starts a thread.

    :param seconds: the length of a window.
    :param offset: seconds by which windows begin before a multiple of their length.
    :param folded: half of the slots are for keys that find the others taken. They share these, so that none counts too
        little. Otherwise, further keys are not counted.
    """

    STORAGE_SCHEME = None

    def __init__(
        self, seconds: int, offset: float, clock: Clock, secret: bytes, *, size: int = SLOTS, folded: bool = False
    ) -> None:
        super().__init__()
        self._seconds, self._offset, self._clock = seconds, offset, clock
        self._secret, self._folds = secret, size // 2 if folded else 0
        self._own = size - self._folds
        self._lock = Lock()
        self._window = 0
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        number = self._number_of(key)
        with self._lock:
            counts = self._current()
            slot = self._slot(number, counts)
            if slot is None:
                return amount
            counts[slot] = count = counts.get(slot, 0) + amount
            return count

    def get(self, key: str) -> int:
        number = self._number_of(key)
        with self._lock:
            counts = self._current()
            slot = self._slot(number, counts)
            return 0 if slot is None else counts.get(slot, 0)

    def get_expiry(self, key: str) -> float:
        """The end of the window, by the clock."""
        return (self._window_now() + 1) * self._seconds - self._offset

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count, self._counts = len(self._counts), {}
            return count

    def clear(self, key: str) -> None:
        number = self._number_of(key)
        with self._lock:
            self._counts.pop(number, None)

    def _window_now(self) -> int:
        return int((self._clock() + self._offset) // self._seconds)

    def _current(self) -> dict[int, int]:
        window = self._window_now()
        if window != self._window:  # also if the clock was set back
            self._window, self._counts = window, {}
        return self._counts

    def _number_of(self, key: str) -> int:
        # Without the secret, keys that share a slot cannot be chosen.
        return int.from_bytes(blake2b(key.encode(), digest_size=KEY_BYTES, key=self._secret).digest())

    def _slot(self, number: int, counts: Mapping[int, int]) -> int | None:
        # Shared slots have negative numbers. While there are any, no other one is added, because the window is full.
        if number in counts or len(counts) < self._own:
            return number
        return ~(number % self._folds) if self._folds else None


class Guesses:
    """Counts wrong credentials: for each address, and for each pair of address and client id.

    What is answered to wrong credentials depends on ``addresses`` and ``pairs`` alone, in which ids that exist and
    invented ones are counted alike. ``existing`` decides about weak secrets that are right. Invented ids cannot fill
    it: they are counted in ``invented``, which is never read, so that both take the same time.

    As ``pairs`` never counts too little, and all windows begin together, wrong credentials are answered 429 wherever
    right ones are. Otherwise the difference would tell a right guess.
    """

    def __init__(self, per_client: Rate, per_address: Rate, clock: Clock, *, size: int = SLOTS) -> None:
        self._clock = clock
        self._per_client, self._per_address = _item(per_client), _item(per_address)
        secret = secrets.token_bytes(16)
        # Of each process its own, so that not all clients try again at the same second.
        offset = secrets.randbelow(1 << 20) / (1 << 20)

        def limiter(rate: Rate, folded: bool = False) -> FixedWindowRateLimiter:
            seconds = rate.seconds
            return FixedWindowRateLimiter(Slots(seconds, offset * seconds, clock, secret, size=size, folded=folded))

        self.addresses = limiter(per_address)
        self.pairs = limiter(per_client, folded=True)
        self.existing = limiter(per_client)
        self.invented = limiter(per_client)

    def count(self, address: str, tried: Iterable[tuple[str, bool]]) -> int:
        """Count a request with wrong credentials.

        :param address: a group of :func:`oauth_mw.addresses.group_of`.
        :param tried: the client ids that it names, and whether each exists.
        :return: seconds until the window ends, at least 1, if there were too many; else 0.
        """
        if not self.addresses.hit(self._per_address, address):
            return self._wait(self.addresses, self._per_address, address)
        within = True
        for client_id, exists in dict(tried).items():
            (self.existing if exists else self.invented).hit(self._per_client, address, client_id)
            within &= self.pairs.hit(self._per_client, address, client_id)
        return 0 if within else self._wait(self.pairs, self._per_client, address)

    def wait_of(self, address: str, client_id: str) -> int:
        """Return how long a client with a right and weak secret must wait; 0 if it is served."""
        if not self.addresses.test(self._per_address, address):
            return self._wait(self.addresses, self._per_address, address)
        if not self.existing.test(self._per_client, address, client_id):
            return self._wait(self.existing, self._per_client, address)
        return 0

    def _wait(self, limiter: FixedWindowRateLimiter, item: RateLimitItem, address: str) -> int:
        return max(1, ceil(limiter.get_window_stats(item, address).reset_time - self._clock()))


def _item(rate: Rate) -> RateLimitItem:
    return RateLimitItemPerSecond(rate.amount, rate.seconds)
