"""One generation of the cache of verified tokens."""

from __future__ import annotations

from ..model import AccessToken, Revocation


class Generation:
    """Some of the cached tokens: by digest for the guard, by token id for the log.

    What the guard can find the log can name, at every moment: a fork may come between any two steps.
    """

    __slots__ = ("by_digest", "digests")

    def __init__(self) -> None:
        self.by_digest: dict[bytes, AccessToken] = {}
        self.digests: dict[str, bytes] = {}

    def add(self, digest: bytes, token: AccessToken) -> None:
        # The signature of a JWT can be rewritten into another that is as good: one text a token is enough.
        before = self.digests.get(token.token_id)
        if before is not None and before != digest:
            self.by_digest.pop(before, None)
        self.digests[token.token_id] = digest
        self.by_digest[digest] = token

    def evict(self, event: Revocation) -> None:
        if event.key is not None:
            names = [event.key.hex()]
        else:
            names = [token.token_id for token in self.by_digest.values() if token.client_id == event.client_id]
        for token_id in names:
            digest = self.digests.get(token_id)
            if digest is not None:
                self.by_digest.pop(digest, None)
                del self.digests[token_id]
