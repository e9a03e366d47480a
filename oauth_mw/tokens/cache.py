"""The cache of verified tokens. It follows the revocation log, so a cached token is as current as the store's row."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from hashlib import blake2s
from typing import Protocol
from weakref import WeakMethod

from ..deadlines import RequestDeadline, deadline_in
from ..errors import StoreUnavailable
from ..model import EVICTION, AccessToken, Clock, LogPage, Revocation
from ..processes import PerProcess
from ..protocols import RevocationLog, Waiter
from ..threads import begin
from .denylist import Denylist, NotLoaded

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.25
MIN_INTERVAL_SECONDS = 0.02  # between two polls, however many revocations wake the follower


class Hash(Protocol):
    def digest(self) -> bytes: ...


class NotCached:
    """What the cache has for an Authorization value without a cached token: false, and no token, as it has expired.

    :ivar digest: of the value, if the cache is current; else empty.
    """

    __slots__ = ("digest",)
    expires_at = float("-inf")

    def __init__(self, digest: bytes = b"") -> None:
        self.digest = digest

    def __bool__(self) -> bool:
        return False


NOT_CACHED = NotCached()


@dataclass(eq=False, slots=True)
class Segment:
    """One of the cache's two segments: tokens by digest for the guard, digests by token id for the log.

    The log can evict every token that the guard can find, at every moment: a fork may come between any two statements.
    """

    by_digest: dict[bytes, AccessToken] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)

    def add(self, digest: bytes, token: AccessToken) -> None:
        # An ECDSA signature can be rewritten into another valid one, so one JWT can have many texts: keep only one.
        before = self.digests.get(token.token_id, digest)
        if before != digest:
            self.by_digest.pop(before, None)
        self.digests[token.token_id] = digest
        self.by_digest[digest] = token

    def evict(self, event: Revocation) -> None:
        if event.key is not None and event.key != EVICTION:
            token_ids = [event.key.hex()]
        else:
            token_ids = [token.token_id for token in self.by_digest.values() if token.client_id == event.client_id]
        for token_id in token_ids:
            if token_id in self.digests:
                self.by_digest.pop(self.digests[token_id], None)
                del self.digests[token_id]


@dataclass(eq=False, repr=False)
class TokenCache:
    """Verified tokens by a digest of the Authorization value; the value itself would be a live credential in memory.

    A cached token is in one of two segments, from which a revocation evicts it::

        read from the store ──► recent ──── recent is full ────► previous ──── full again ────► dropped
                                   ▲                                │
                                   └──────────── used ──────────────┘

    All of them are trusted until a poll of the log is due::

        trusted ── the generation moved, or the last poll is too old ──► due ── polled ──► trusted
                                                                          │
             only cached tokens accepted, within ``grace``; then none ◄── failed: again after ``RETRY_SECONDS``

    The last poll is too old after ``POLL_SECONDS`` where the generation shows every revocation, else after ``lag``,
    counted from its start. One thread polls, and the others wait for it. With a lag, a background thread polls early.

    :param read: returns the live token for a text, or raises ``TokenRefused``.
    :param size: capacity of each segment: at least as many of the most recently used tokens are cached.
    :param lag: seconds until a revocation is seen where the log's generation does not show it; 0: poll at each request.
    :param grace: seconds for which cached tokens are accepted after the last successful poll.
    :param timeout: seconds that a request may wait for the store.
    :param monotonic: a clock that never goes back.
    :param denylist: the revocations that only the log has, for ``read``. The cache keeps it up to date.
    :param hasher: of :mod:`hashlib`. BLAKE2s takes less time for opaque tokens, SHA-256 for JWTs, which are longer.
    :param forget: called when an event revokes all tokens that some signing key has signed.
    :param polled: called after each read of the log, with ``""``, or with the reason why it failed.
    :param forget_client: called with the id of a client when an event is about all of its tokens.
    """

    read: Callable[[str], AccessToken]
    log: RevocationLog
    _: KW_ONLY
    size: int
    lag: float
    grace: float
    timeout: float
    monotonic: Clock
    denylist: Denylist | None = None
    hasher: Callable[[bytes], Hash] = blake2s
    forget: Callable[[], None] = lambda: None
    polled: Callable[[str], None] = lambda failure: None
    forget_client: Callable[[str], None] = lambda client_id: None

    def __post_init__(self) -> None:
        self._poll_seconds = POLL_SECONDS if self.log.generation_shows_all else self.lag
        self._recent, self._previous = Segment(), Segment()
        self._generation = self.log.generation
        self._polled_generation: object = object()
        self._store_id, self._position = "", -1
        self._next_poll = 0.0
        self._last_success = self._last_failure = self._last_hang = self._own_missed = float("-inf")  # when each began
        self._made = self.monotonic()
        self._failure = ""
        self._changes = 0  # counts all evictions
        self._polling = PerProcess(threading.Lock).get  # held during a read of the log, which may be slow
        self._memory = PerProcess(threading.Lock).get  # held for changes of the cache only
        is_distant = self.lag and not self.log.generation_shows_all
        self.follower = LogFollower(self.poll_early, self.log.waiter) if is_distant else None
        weak_poll = WeakMethod(self._poll_own_revocation)  # the store may be used longer than the cache

        def on_revocation() -> None:
            if poll := weak_poll():
                poll()

        self.log.on_revocation(on_revocation)

    def cached(self, value: str) -> AccessToken | NotCached:
        """Return the cached token for an Authorization value, unless a poll is due. It may have expired."""
        if self._generation() != self._polled_generation or self.monotonic() >= self._next_poll:
            return NOT_CACHED
        try:
            digest = self.hasher(value.encode()).digest()
        except UnicodeEncodeError:
            return NOT_CACHED  # a lone surrogate, which the guard refuses
        token = self._recent.by_digest.get(digest)
        return self._reused(digest) or NotCached(digest) if token is None else token

    def find(self, value: str, text: str, digest: bytes = b"") -> AccessToken:
        """Return the token ``text`` of the Authorization ``value``, after a poll if one is due. It may have expired.

        :param digest: that of a :class:`NotCached` which the cache has just returned for the same value.
        :raises TokenRefused: there is none.
        :raises StoreUnavailable: its state is not known.
        """
        if digest:
            return self._read_and_add(digest, text)
        if self._generation() == self._polled_generation and self.monotonic() < self._next_poll:
            digest = self.hasher(value.encode()).digest()
            return self._reused(digest) or self._read_and_add(digest, text)
        with RequestDeadline(self.timeout):
            failure = self._poll_within_grace()
            digest = self.hasher(value.encode()).digest()
            token = self._reused(digest)
            if token is None and failure:
                raise StoreUnavailable(failure)
            return token or self._read_and_add(digest, text)

    def refresh(self, seconds: float | None = None) -> None:
        """Apply all revocations until now; ``StoreUnavailable`` is raised if the log cannot be read.

        :param seconds: that it may wait for the store, if that is less than ``timeout``.
        """
        arrived = self.monotonic()
        is_polled = self._generation() == self._polled_generation and arrived < self._next_poll
        if is_polled and self.log.generation_shows_all:
            return
        with RequestDeadline(self.timeout if seconds is None else min(self.timeout, seconds)):
            self._poll(arrived)

    def in_grace(self) -> bool:
        """Whether cached tokens are accepted although the store does not answer."""
        return self.monotonic() < self._last_success + self.grace

    @property
    def cached_tokens(self) -> int:
        """How many tokens are cached."""
        return len(self._recent.by_digest) + len(self._previous.by_digest)

    def behind(self) -> float:
        """Return the seconds since this cache last had all of the log: 0 while the generation shows that it has."""
        is_shown = self.log.generation_shows_all and self._last_failure <= self._last_success
        if is_shown and self._generation() == self._polled_generation:
            return 0.0
        return self.monotonic() - max(self._last_success, self._made)

    def poll_early(self) -> float:
        """Poll before a request has to. Return the seconds until the next such poll."""
        started = self.monotonic()
        try:
            with RequestDeadline(self.timeout):
                self._poll(started)
            due = self._last_success + self._poll_seconds / 2
        except StoreUnavailable:
            due = started + RETRY_SECONDS
        return max(due - self.monotonic(), 0)

    def _reused(self, digest: bytes) -> AccessToken | None:
        """Return a cached token, which is moved to the recent ones."""
        if digest not in self._previous.by_digest:
            return self._recent.by_digest.get(digest)
        with self._memory():
            token = self._previous.by_digest.get(digest)
            if token is not None:
                self._add(digest, token)
        return token

    def _read_and_add(self, digest: bytes, text: str) -> AccessToken:
        changes = self._changes
        token = self.read(text)
        with self._memory():
            # An event that arrived since the read began may have been about this token.
            if self._changes == changes:
                self._add(digest, token)
        return token

    def _add(self, digest: bytes, token: AccessToken) -> None:
        if len(self._recent.by_digest) >= self.size:
            self._previous, self._recent = self._recent, Segment()
        self._recent.add(digest, token)

    def _poll_within_grace(self) -> str:
        """Poll because it is due. If that fails, return why, or raise it once cached tokens are not accepted either."""
        arrived = self.monotonic()
        # In an outage in which polls hang, it is enough that one request waits for its end. A failure from before a
        # pause of this process is no sign of an outage: without the pause, the next poll would have failed too by now.
        is_hanging = self._last_hang > max(self._last_success, arrived - RETRY_SECONDS - 2 * self.timeout)
        try:
            self._poll(arrived, if_due=True, wait=not is_hanging)
        except StoreUnavailable as error:
            if not self.in_grace():
                raise
            return error.reason
        return ""

    def _poll_own_revocation(self) -> None:
        """Apply what this process has revoked, before it is acknowledged."""
        revoked = self.monotonic()
        try:
            self._poll(revoked)
        except StoreUnavailable:
            with self._memory():
                self._own_missed = revoked
                self._next_poll = 0.0

    def _poll(self, arrived: float, *, if_due: bool = False, wait: bool = True) -> None:
        """Read the log, or wait for another thread that does. A poll that began after ``arrived`` will do."""
        lock = self._polling()
        if not lock.acquire(timeout=max(deadline_in(self.timeout) - time.monotonic(), 0) if wait else 0):
            busy = f"another request did not finish reading the revocation log within {self.timeout:g} s"
            raise StoreUnavailable(busy if wait else self._failure)
        try:
            if self.follower is not None:
                self.follower.start()
            # Taken before the log is read: what is revoked later is left to the next poll.
            started = self.monotonic()
            is_same = self._generation() == self._polled_generation
            if is_same and (self._last_success > arrived or (if_due and started < self._next_poll)):
                return
            page, generation = self._read_log(started)
            with self._memory():
                self._apply(page)
                self._polled_generation = generation
                self._last_success = started
                self._next_poll = started + self._poll_seconds if started > self._own_missed else 0.0
            self.polled("")
        finally:
            lock.release()

    def _read_log(self, started: float) -> tuple[LogPage, object]:
        """Read the log, and the generation before it; not again right after a failure."""
        if started < self._last_failure + RETRY_SECONDS:
            raise StoreUnavailable(self._failure)
        had_time = deadline_in(self.timeout) >= time.monotonic() + self.timeout / 2
        try:
            try:
                return self._read_log_once()
            except NotLoaded:
                raise
            except StoreUnavailable:
                return self._read_log_once()  # one lost connection is no outage
        except StoreUnavailable as error:
            # A read with little time left shows nothing about the store. The failure counts from the start of the read:
            # after a pause of this process it shows nothing about the store now.
            if had_time:
                self._failure = error.reason
                self._last_failure = started
                self.polled(error.reason)
                self._last_hang = started if self.monotonic() >= started + self.timeout / 2 else float("-inf")
            raise

    def _read_log_once(self) -> tuple[LogPage, object]:
        self.log.verify()
        self._generation = self.log.generation
        generation = self._generation()
        page = self.log.read_log(self._store_id, self._position)
        if self.denylist is not None and not page.complete:
            page = self.denylist.load(self.log, page, self.timeout)
        return page, generation

    def _apply(self, page: LogPage) -> None:
        # The denylist first: what is evicted may be read from the store again at once, and is judged by it.
        if page.complete:
            if self.denylist is not None:
                self.denylist.apply(page.events)
            for event in page.events:
                if not event.client_id:
                    self._clear()
                elif event.key is None or event.key == EVICTION:
                    self.forget_client(event.client_id)
                self._recent.evict(event)
                self._previous.evict(event)
                self._changes += 1
        else:
            if self.denylist is not None:
                self.denylist.settle()
            self._clear()
        self._store_id, self._position = page.store_id, page.position

    def _clear(self) -> None:
        self.forget()
        self._recent, self._previous = Segment(), Segment()
        self._changes += 1


class LogFollower:
    """A thread of each process that polls again and again, as long as the cache is used elsewhere.

    A thread does not survive a fork, so the cache calls :meth:`start` at each poll of its own, one call at a time.
    Where no thread can be started, requests poll by themselves.

    :param poll: a method, held weakly, that returns the seconds until its next call.
    :param waiter: opens the waiter that wakes the thread earlier, if the store has one.
    """

    def __init__(self, poll: Callable[[], float], waiter: Callable[[], Waiter | None]) -> None:
        self._poll = WeakMethod(poll)
        self._waiter = waiter
        self._started: tuple[int, threading.Thread | None] = 0, None

    @property
    def thread(self) -> threading.Thread | None:
        """The thread of this process; ``None`` before its first start."""
        process, thread = self._started
        return thread if process == os.getpid() else None

    def start(self) -> None:
        """Start this process's thread, unless it runs."""
        if self.thread is None or not self.thread.is_alive():
            with suppress(RuntimeError):
                self._started = os.getpid(), begin(_follow, self._poll, self._waiter, name="oauth_mw follows the log")


def _follow(weak_poll: WeakMethod[Callable[[], float]], open_waiter: Callable[[], Waiter | None]) -> None:
    waiter = open_waiter()
    try:
        while poll := weak_poll():
            try:
                pause = poll()
            except Exception:  # the next request meets the same error, and reports it
                pause = RETRY_SECONDS
            del poll
            rest = pause if waiter is None else min(pause, MIN_INTERVAL_SECONDS)
            time.sleep(rest)
            if waiter is not None:
                waiter.wait(pause - rest)
    finally:
        if waiter is not None:
            waiter.close()
