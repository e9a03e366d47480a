"""Equal values of different tokens, kept in memory once: one set of 100 scopes takes 15 kB."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, cast

from ..model import EMPTY, AccessToken, TokenRecord, Value

H = TypeVar("H", bound=Hashable)
V = TypeVar("V")
Attributes = tuple[Mapping[str, Value], frozenset[str]]

_NO_ATTRIBUTES: Attributes = EMPTY, frozenset()


class Sharing:
    """Remembers up to ``size`` values of a kind. When there are more, it forgets all of them."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._values: dict[Hashable, Hashable] = {}
        self._scopes: dict[str, tuple[str, frozenset[str]]] = {}
        self._attributes: dict[tuple[str, frozenset[str]], Attributes] = {}

    def token(self, key: bytes, record: TokenRecord, challenge: str) -> AccessToken:
        """The token with this storage key, made of shared values."""
        scope, scopes = self.scope(record.scope)
        attributes, public = self.attributes(record.attributes, record.public_attributes)
        return AccessToken(
            client_id=self._one(record.client_id),
            scope=scope,
            scopes=scopes,
            token_id=key.hex(),
            issued_at=record.issued_at,
            expires_at=int.from_bytes(key[:4]),
            audience=self._one(record.audience),
            attributes=attributes,
            public_attributes=public,
            challenge=challenge,
            position=record.position,
        )

    def scope(self, text: str) -> tuple[str, frozenset[str]]:
        """A token's scope, as text and as a set."""
        return self._scopes.get(text) or self._add(self._scopes, text, (text, frozenset(text.split())))

    def attributes(self, values: Mapping[str, Value], public: frozenset[str]) -> Attributes:
        """A token's attributes, and the names of the public ones."""
        if not values:
            return _NO_ATTRIBUTES
        key = str(values), public  # by their text: 1, 1.0 and True are equal
        return self._attributes.get(key) or self._add(self._attributes, key, (values, public))

    def _one(self, value: H) -> H:
        found = self._values.get(value)
        return cast(H, self._add(self._values, value, value) if found is None else found)

    def _add(self, remembered: dict[Any, V], key: Hashable, value: V) -> V:
        if len(remembered) >= self._size:
            remembered.clear()
        return remembered.setdefault(key, value)
