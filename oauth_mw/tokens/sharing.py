"""Equal values of different tokens, kept in memory once: one set of 100 scopes takes 15 kB."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from ..model import AccessToken, TokenRecord, Value, new_token
from ..server import Server


class _Shared(NamedTuple):
    """What many tokens of a client have in common."""

    client_id: str
    scope: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    attributes: Mapping[str, Value]
    public_attributes: frozenset[str]


class Sharing:
    """Remembers the values of up to ``size`` kinds of tokens. When there are more, it forgets all of them."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._known: dict[Hashable, _Shared] = {}
        self._attributes: dict[Hashable, tuple[Mapping[str, Value], frozenset[str]]] = {}

    def token(self, key: bytes, record: TokenRecord, server: Server) -> AccessToken:
        """The token with this storage key, made of shared values."""
        client_id, scope, issued_at, position, attributes, public, audience, _, _ = record
        # Attributes by their text: 1, 1.0 and True are equal.
        kind = client_id, scope, audience, str(attributes) if attributes else "", public
        shared = self._known.get(kind)
        if shared is None:
            if len(self._known) >= self._size:
                self._known.clear()
                self._attributes.clear()
            attributes, public = self._attributes.setdefault(kind[3:], (attributes, public))
            new = _Shared(client_id, scope, frozenset(scope.split()), audience, attributes, public)
            shared = self._known.setdefault(kind, new)
        client_id, scope, scopes, audience, attributes, public = shared
        expires_at = int.from_bytes(key[:4])
        return new_token(
            client_id,
            scope,
            scopes,
            key.hex(),
            issued_at,
            expires_at,
            audience,
            attributes,
            None,
            public,
            server,
            position,
            (),
        )
