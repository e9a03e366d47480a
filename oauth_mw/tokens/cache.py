"""The cache of verified tokens. It follows the revocation log, so that a hit is as good as a look into the store.

Entries are keyed by the SHA-256 of the whole Authorization value: keyed by its text, they would
keep live credentials in memory. Before every look-up the log's generation is compared; when it
moved, what the log names is evicted first. Where the generation cannot show what other machines
do, what the log said holds for the lag that was allowed, counted from before it was asked, and a
thread asks again before that time is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from weakref import WeakMethod

from ..deadlines import RequestDeadline, deadline_in
from ..errors import StoreUnavailable
from ..model import AccessToken, Clock, LogPage, Revocation
from ..processes import PerProcess
from ..protocols import RevocationLog
from .denylist import Denylist
from .denylist_loader import DenylistLoader, NotLoaded
from .follower import LogFollower
from .generation import Generation

LOOK_SECONDS = 1.0
RETRY_SECONDS = 0.25


class _Locks:
    """``looking`` is held during a read of the log, which may be slow; ``changing`` only for changes in memory."""

    def __init__(self) -> None:
        self.looking = threading.Lock()
        self.changing = threading.Lock()


class TokenCache:
    """Verified tokens by Authorization value.

    :param read: the format's verb: the live token of a text, or ``None``.
    :param size: how many of the tokens that were used last are kept at least. Two generations of that size take turns:
        a token that is used joins the younger one, and when that is full, the older is dropped.
    :param lag: seconds after which a revocation is seen where the log's generation does not show it; 0 asks the log
        at every request.
    :param grace: seconds for which cached tokens stay good after the store last answered.
    :param timeout: seconds that a request waits for the look of another.
    :param monotonic: a clock that never goes back, for the looks.
    :param denylist: what ``read`` asks about tokens that only the log tells about; it learns here what ended.
    :param forget: called when an event ends all tokens that some key has signed.
    """

    def __init__(
        self,
        read: Callable[[str], AccessToken | None],
        log: RevocationLog,
        *,
        size: int,
        lag: float,
        grace: float,
        timeout: float,
        monotonic: Clock,
        denylist: Denylist | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._log = log
        self._size = size
        self._trusted = LOOK_SECONDS if log.immediate else lag
        self._grace = grace
        self._timeout = timeout
        self._monotonic = monotonic
        self._denylist = denylist
        self._loader = None if denylist is None else DenylistLoader(log, denylist, timeout)
        self._forget = forget
        self._young, self._old = Generation(), Generation()
        self._generation = log.generation
        self._seen: object = object()
        self._next_look = 0.0
        self._answered = float("-inf")
        self._failed = float("-inf")
        self._failure = ""
        self._missed = float("-inf")
        self._epoch = 0
        self._store_id, self._position = "", -1
        self._here = PerProcess(_Locks).get
        self._follower = LogFollower(self._follow_ahead, log.waiter) if lag and not log.immediate else None
        log.on_revocation(_weakly(self._learn_of_own))

    def hit(self, value: str) -> AccessToken | None:
        """The cached token of an Authorization value, if it can be trusted without asking anybody.

        Whether it has expired is the caller's to ask.
        """
        if self._generation() != self._seen or self._monotonic() >= self._next_look:
            return None
        return self._kept(sha256(value.encode()).digest())

    def find(self, value: str, text: str) -> AccessToken | None:
        """The token ``text``: from the cache, once it is known what ended meanwhile; else from the store, and kept.

        :raises StoreUnavailable: it cannot be told.
        """
        with RequestDeadline(self._timeout):
            failure = ""
            if self._generation() != self._seen or self._monotonic() >= self._next_look:
                failure = self._catch_up()
            digest = sha256(value.encode()).digest()
            kept = self._kept(digest)
            if kept is None and failure:
                raise StoreUnavailable(failure)
            return kept or self._found(digest, text)

    def refresh(self) -> None:
        """Learn all that ended until now.

        :raises StoreUnavailable: it cannot be told.
        """
        arrived = self._monotonic()
        if self._log.immediate and self._generation() == self._seen and arrived < self._next_look:
            return
        with RequestDeadline(self._timeout):
            self._look(arrived, wait=self._timeout, ahead=True)

    def _kept(self, digest: bytes) -> AccessToken | None:
        return self._young.by_digest.get(digest) or self._promoted(digest)

    def _found(self, digest: bytes, text: str) -> AccessToken | None:
        epoch = self._epoch
        token = self._read(text)
        if token is not None:
            with self._here().changing:
                # What the log told since before the read may have been about this token.
                if self._epoch == epoch:
                    self._add(digest, token)
        return token

    def _promoted(self, digest: bytes) -> AccessToken | None:
        if digest not in self._old.by_digest:
            return None
        with self._here().changing:
            token = self._old.by_digest.get(digest)
            if token is not None:
                self._add(digest, token)
            return token

    def _add(self, digest: bytes, token: AccessToken) -> None:
        if len(self._young.by_digest) >= self._size:
            self._old, self._young = self._young, Generation()
        self._young.add(digest, token)

    def _catch_up(self) -> str:
        """Learn from the log what ended, before a request is judged; why that failed, if cached tokens are good still.

        :raises StoreUnavailable: it cannot be told, and they are not.
        """
        arrived = self._monotonic()
        # In an outage that is known already, it is enough that somebody waits for its end. What was known before
        # a pause is not known any more: by now the look after the failed one would have failed too.
        known = self._answered < self._failed and arrived < self._failed + RETRY_SECONDS + 2 * self._timeout
        try:
            self._look(arrived, wait=0 if known else self._timeout)
        except StoreUnavailable as error:
            if self._monotonic() >= self._answered + self._grace:
                raise
            return error.reason
        return ""

    def _follow_ahead(self) -> float:
        """Look before a request has to; the seconds until the next time."""
        started = self._monotonic()
        try:
            with RequestDeadline(self._timeout):
                self._look(started, wait=self._timeout, ahead=True)
        except StoreUnavailable:
            return max(started + RETRY_SECONDS - self._monotonic(), 0)
        return max(self._answered + self._trusted / 2 - self._monotonic(), 0)

    def _learn_of_own(self) -> None:
        """What this process ended is known here before it is acknowledged."""
        ended = self._monotonic()
        try:
            self._look(ended, wait=self._timeout, ahead=True)
        except StoreUnavailable:
            with self._here().changing:
                self._missed = ended
                self._next_look = 0.0

    def _look(self, arrived: float, *, wait: float, ahead: bool = False) -> None:
        """One thread asks; the others wait for its answer.

        :param ahead: although nothing is due.
        """
        lock = self._here().looking
        if not lock.acquire(timeout=max(deadline_in(wait) - time.monotonic(), 0)):
            raise StoreUnavailable("no look at the revocation log in time")
        try:
            if self._follower is not None:
                self._follower.start()
            # Times and generation are taken before the log is read: what comes later is met by the next look.
            started = self._monotonic()
            current = self._generation() == self._seen
            if current and (self._answered > arrived or (not ahead and started < self._next_look)):
                return
            self._follow(started)
        finally:
            lock.release()

    def _follow(self, started: float) -> None:
        page, generation = self._ask(started)
        with self._here().changing:
            if page.complete:
                self._learn(page.events)
            else:
                self._restart()
            self._store_id, self._position = page.store_id, page.position
            self._seen = generation
            self._answered = started
            self._next_look = started + self._trusted if started > self._missed else 0.0

    def _learn(self, events: Sequence[Revocation]) -> None:
        if self._denylist is not None:
            self._denylist.learn(events)
        for event in events:
            if not event.client_id:
                self._forget_all()
            self._young.evict(event)
            self._old.evict(event)
            self._epoch += 1

    def _restart(self) -> None:
        if self._denylist is not None:
            self._denylist.settle()
        self._forget_all()

    def _forget_all(self) -> None:
        self._forget()
        self._young, self._old = Generation(), Generation()
        self._epoch += 1

    def _ask(self, started: float) -> tuple[LogPage, object]:
        """One look at the log, and the generation from before it; not again right after a failure."""
        if started < self._failed + RETRY_SECONDS:
            raise StoreUnavailable(self._failure)
        in_a_hurry = deadline_in(self._timeout) < time.monotonic() + self._timeout / 2
        try:
            try:
                return self._asked()
            except NotLoaded:
                raise
            except StoreUnavailable:
                # One lost connection is no outage.
                return self._asked()
        except StoreUnavailable as error:
            # The time of the question: who was paused over it cannot say how the store does now. Nor can who had used
            # up his time elsewhere.
            if not in_a_hurry:
                self._failure = error.reason
                self._failed = started
            raise

    def _asked(self) -> tuple[LogPage, object]:
        self._log.verify()
        self._generation = self._log.generation
        generation = self._generation()
        page = self._log.read_log(self._store_id, self._position)
        if self._loader is not None and not page.complete:
            page = self._loader.read(page)
        return page, generation


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Call a method as long as its object is used by others."""
    weak = WeakMethod(method)

    def call() -> None:
        alive = weak()
        if alive is not None:
            alive()

    return call
