"""A guard and a cache that count. An accepted request of a cached token costs one addition more, and no call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from wsgiref.types import WSGIEnvironment

from ..guard import Guard
from ..model import AccessToken
from ..rules import Access
from ..tokens.cache import NOT_CACHED, NotCached, TokenCache
from .counts import Counts


@dataclass(eq=False, repr=False)
class CountingCache(TokenCache):
    """A cache that counts the tokens that :meth:`cached` returns."""

    counts: Counts = field(kw_only=True)

    def cached(self, value: str) -> AccessToken | NotCached:
        # That of TokenCache, with one line more: a call of it would cost four times as much as the count.
        if self._generation() != self._polled_generation or self.monotonic() >= self._next_poll:
            return NOT_CACHED
        try:
            digest = self.hasher(value.encode()).digest()
        except UnicodeEncodeError:
            return NOT_CACHED  # a lone surrogate, which the guard refuses
        token = self._recent.by_digest.get(digest)
        if token is None and (token := self._reused(digest)) is None:
            return NotCached(digest)
        self.counts.cached += 1
        return token


@dataclass(eq=False, repr=False)
class CountingGuard(Guard):
    """A guard that counts the requests that need more than a cached token.

    :param copy_soon: see :meth:`oauth_mw.metrics.copying.Copier.copy_soon`.
    """

    counts: Counts = field(kw_only=True)
    copy_soon: Callable[[], None] = field(kw_only=True)

    def _required(
        self, environ: WSGIEnvironment, value: str | None, access: Access, cached: AccessToken | NotCached
    ) -> AccessToken:
        if cached:  # it is called, so the token has expired
            self.counts.expired += 1
        token = Guard._required(self, environ, value, access, cached)
        self.counts.found += 1
        return token

    def _forget(self, environ: WSGIEnvironment) -> None:
        self.counts.public += 1
        self.copy_soon()
        Guard._forget(self, environ)
