"""Which tokens of a client are revoked together: all that were issued before an event, or before a moment.

A revocation of the tokens that were issued before a moment is two events of the log, appended in one step. The first
revokes all tokens, and is all that an older version understands. The second, at the next position, is log-only, and has
a key that :func:`spares` knows: the first does not revoke tokens that were issued at that moment or later. It loses its
effect with the next revocation of all, because it no longer stands right after the client's last one.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from .model import LAST_SECOND

# Where a token's key has its expiry, this one has a second at which none can be issued any more: it is never swept.
SPARES = LAST_SECOND.to_bytes(4) + b"spares: "
# The moment, the position before which none is spared, and a digest, so that no two events have the same key.
_KEY = Struct(f">{len(SPARES)}sIQ8s")


def spares(key: bytes | None) -> bool:
    """Whether an event with this key revokes nothing, and spares tokens from the event before it."""
    return key is not None and key.startswith(SPARES) and len(key) == _KEY.size


class Cutoff(NamedTuple):
    """Which tokens of a client are revoked, apart from those that are revoked singly.

    :ivar before: the client's ``revoked_before``.
    :ivar key: that of the client's event at the next position, whatever that is; empty if there is none.
    """

    before: int = 0
    key: bytes = b""

    def covers(self, position: int, issued_at: int) -> bool:
        """Whether a token is revoked.

        :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
        :param issued_at: in Unix seconds, as the token says.
        """
        if position >= self.before:
            return False
        since, moment = self._spared()
        return position < since or issued_at < moment

    @property
    def since(self) -> int:
        """The position before which a token is revoked whenever it was issued."""
        return self._spared()[0]

    def sparing(self, client_id: str, moment: int) -> bytes:
        """The key of the event that spares tokens from the next revocation. What is revoked already stays so.

        :param moment: the Unix second since which they were issued.
        """
        since, before = self._spared()
        digest = sha256(f"{self.before} {client_id}".encode()).digest()
        return _KEY.pack(SPARES, min(max(moment, before, 0), LAST_SECOND), since, digest[:8])

    def _spared(self) -> tuple[int, int]:
        """From which position on tokens are spared that were issued at which Unix second or later."""
        if not spares(self.key):
            return self.before, 0
        _, moment, since, _ = _KEY.unpack(self.key)
        return since, moment
