"""Equal values of different tokens, each kept once.

Each token is read from a row or a text of its own, so that without this each would have its own
copy of what all tokens of its client say: one set of 100 scopes takes 15 kB.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, cast

from ..model import EMPTY, Value

H = TypeVar("H", bound=Hashable)
V = TypeVar("V")
Attributes = tuple[Mapping[str, Value], frozenset[str]]

_NO_ATTRIBUTES: Attributes = EMPTY, frozenset()


class Sharing:
    """
    :param size: how many values of a kind are remembered at most; beyond, all are forgotten, and the next are shared
        among themselves.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._values: dict[Hashable, Hashable] = {}
        self._scopes: dict[str, tuple[str, frozenset[str]]] = {}
        self._attributes: dict[tuple[str, frozenset[str]], Attributes] = {}

    def one(self, value: H) -> H:
        """The value, or an equal one of the same type that was here before."""
        found = self._values.get(value)
        return cast(H, self._kept(self._values, value, value) if found is None else found)

    def scope(self, text: str) -> tuple[str, frozenset[str]]:
        """A token's scope, as it is sent and as a set."""
        return self._scopes.get(text) or self._kept(self._scopes, text, (text, frozenset(text.split())))

    def attributes(self, values: Mapping[str, Value], public: frozenset[str]) -> Attributes:
        """A token's attributes, and the names of the public ones."""
        if not values:
            return _NO_ATTRIBUTES
        key = str(values), public  # by their text: 1, 1.0 and True are equal
        return self._attributes.get(key) or self._kept(self._attributes, key, (values, public))

    def _kept(self, known: dict[Any, V], key: Hashable, value: V) -> V:
        if len(known) >= self._size:
            known.clear()
        return known.setdefault(key, value)
