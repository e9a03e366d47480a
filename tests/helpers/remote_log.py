"""A cache of verified tokens over a log, on clocks moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event
from typing import Any

from helpers.builders import HOUR, registered
from helpers.support import HandClock, or_none
from oauth_mw import StoreUnavailable
from oauth_mw.model import LogPage
from oauth_mw.protocols import Store
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens, storage_key

LAG = 10
TIMEOUT = 5


def _nothing() -> None: ...


class Ticks(HandClock):
    """It never returns a time twice, not even to two threads. ``reads`` has one entry for each."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._count = count()
        self.reads: list[int] = []

    def __call__(self) -> float:
        number = next(self._count)
        self.reads.append(number)
        return self.now + number / 1_000_000


class Log:
    """A store as this process uses it. A change of the store that it wraps is another machine's.

    ``before`` and ``after`` are called around each reading of the log; the next ``failures`` of them fail.

    :param local: the generation shows what other machines revoke.
    """

    def __init__(self, store: Store, local: bool) -> None:
        self._store = store
        self._callback: Callable[[], None] = _nothing
        self.generation_shows_all = local
        if not local:
            self.generation = int
        self.polls = 0
        self.failures: float = 0
        self.before: Callable[[], object] = _nothing
        self.after: Callable[[], object] = _nothing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def on_revocation(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def revoke_token(self, key: bytes) -> bool:
        revoked = self._store.revoke_token(key)
        self._callback()
        return revoked

    def read_log(self, store_id: str, after: int) -> LogPage:
        self.polls += 1
        self.before()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("set to fail")
        page = self._store.read_log(store_id, after)
        self.after()
        return page


class Scene:
    """A cache with one token, ``text``, of the client ``tester``; ``read`` reads it. There is a client ``other``."""

    def __init__(self, store: Store, clock: HandClock, *, local: bool = False, **options: Any) -> None:
        for client_id in ("tester", "other"):
            store.add_client(registered(client_id))
        self.elsewhere = store
        self.log = Log(store, local)
        self.ticks = Ticks()
        self.tokens = OpaqueTokens(self.log, clock, "")
        options = {"size": 100, "lag": LAG, "grace": 0, "timeout": TIMEOUT, "monotonic": self.ticks, **options}
        self.read = self.tokens.read
        self.cache = TokenCache(lambda text: self.read(text), self.log, **options)
        self.text = self.known()

    def issue(self, client_id: str = "tester") -> str:
        return self.tokens.issue(self.elsewhere.find_client(client_id), (), HOUR).text

    def known(self, client_id: str = "tester") -> str:
        """One more token that the cache has."""
        text = self.issue(client_id)
        assert self.accepts(text)
        return text

    def accepts(self, text: str = "") -> bool:
        """As the guard checks."""
        text = text or self.text
        return (self.cache.cached(text) or or_none(self.cache.find, text, text)) is not None

    def keeps(self, text: str = "") -> bool:
        """True if the token is accepted without a read of its row."""
        return or_none(self.cache.find, text or self.text, "") is not None

    def hits(self) -> bool:
        """True if a request needs to wait for nothing."""
        return bool(self.cache.cached(self.text))

    def end(self, store: Store | Log) -> None:
        store.revoke_token(storage_key(self.text))

    @contextmanager
    def poll_under_way(self) -> Iterator[Callable[[], None]]:
        """Another thread has read the log, and goes on when the yielded function is called, or at the end."""
        asked, free = Event(), Event()
        self.log.after = lambda: (asked.set(), free.wait(20))
        with ThreadPoolExecutor(1) as pool:
            poller: Future[float] = pool.submit(self.cache.poll_early)
            assert asked.wait(20)
            self.log.after = _nothing
            try:
                yield free.set
            finally:
                free.set()
                poller.result()
