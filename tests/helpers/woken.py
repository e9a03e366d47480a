"""A worker that follows the log of a store, for tests."""

from __future__ import annotations

import time

from helpers.builders import HOUR
from helpers.support import or_none
from oauth_mw import open_store
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens

LAG = 2000.0  # so long that no poll comes within a test


class Worker:
    """A store and a cache over it, as a process with the middleware has them."""

    def __init__(self, url, *, lag=LAG, grace=0.0, timeout=5.0):
        self.store = open_store(url, create=True, timeout=timeout)
        self._tokens = OpaqueTokens(self.store, time.time, "")
        times = {"lag": lag, "grace": grace, "timeout": timeout, "monotonic": time.monotonic}
        self._cache = TokenCache(self._tokens.read, self.store, size=100, **times)

    def issue(self):
        issued = self._tokens.issue(self.store.find_client("tester"), (), HOUR)
        assert self.accepts(issued.text)
        return issued.text, bytes.fromhex(issued.token_id)

    def accepts(self, text):
        return (self._cache.cached(text) or or_none(self._cache.find, text, text)) is not None

    def close(self):
        del self._cache
        self.store.close()
