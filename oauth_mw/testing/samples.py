"""Paths that stand for all others of a route."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

from ..config import Settings
from .expressions import Parameter, Pieces

_SEGMENT = Parameter("[^/]*")


class Sampler:
    """Chooses paths of a route that stand for all others.

    Whether a path is public depends only on which of its segments are equal to those of ``public_paths``.
    """

    def __init__(self, settings: Settings, names: Iterable[str]) -> None:
        patterns = [*settings.public_paths, *(rule.pattern for rule in settings.required_scopes)]
        named = " ".join([*(pattern.text for pattern in patterns), *names])
        self._values = [_unlike("sample", named), _unlike("10", named)]
        self._wanted = [[_decoded(segment) for segment in pattern.segments] for pattern in settings.public_paths]
        self._depth = max((len(pattern.segments) for pattern in patterns), default=0) + 1

    def paths(self, alternatives: Iterable[Pieces]) -> list[str]:
        """The paths, each once. Those that begin with no slash are left out, because no request has them."""
        found: dict[str, None] = {}
        for pieces in alternatives:
            for segments in self._segments(pieces):
                for wanted in [[], *self._wanted]:
                    wanted = [*wanted, *[""] * len(segments)]
                    path = "/".join(map(self._text, segments, ["", *wanted]))
                    found[path if path.startswith("/") else ""] = None
        return [path for path in found if path]

    def _segments(self, pieces: Pieces) -> Iterator[list[Pieces]]:
        """The segments of the paths, with each number of them that a parameter can have."""
        if pieces and isinstance(pieces[0], Parameter) and pieces[0].several:
            pieces = ("/", *pieces)
        choices = [self._spread(piece, at == len(pieces)) for at, piece in enumerate(pieces, 1)]
        for chosen in product(*choices):
            segments: list[Pieces] = [()]
            for piece in (each for spread in chosen for each in spread):
                first, *others = piece.split("/") if isinstance(piece, str) else [piece]
                segments[-1] = (*segments[-1], first)
                segments += [(other,) for other in others]
            yield segments

    def _spread(self, piece: str | Parameter, is_last: bool) -> list[Pieces]:
        if isinstance(piece, str) or not piece.several:
            return [(piece,)]
        found: list[Pieces] = [(_SEGMENT, *("/", _SEGMENT) * more) for more in range(self._depth + 1)]
        return [*found, *((*each, "/") for each in found if is_last)]

    def _text(self, segment: Pieces, wanted: str) -> str:
        if wanted and _takes(segment, wanted):
            return wanted
        return "".join(piece if isinstance(piece, str) else self._value(piece) for piece in segment)

    def _value(self, parameter: Parameter) -> str:
        return next((each for each in self._values if re.fullmatch(parameter.regex, each)), self._values[0])


def _takes(segment: Pieces, text: str) -> bool:
    """True if the parameters of a segment can be such that it is ``text``."""
    regex = "".join(re.escape(piece) if isinstance(piece, str) else f"(?:{piece.regex})" for piece in segment)
    return bool(re.fullmatch(regex, text))


def _unlike(value: str, texts: str) -> str:
    """A value that stands in none of ``texts``."""
    while value in texts:
        value += value[-1]
    return value


def _decoded(segment: str) -> str:
    return segment.encode("latin-1").decode(errors="replace")
