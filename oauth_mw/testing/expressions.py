"""The regular expressions of routes, read as what they match: texts with parameters in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import product
from typing import NamedTuple

_NAME = re.compile(r"(?<!\\)\(\?P<\w+>")
_GROUP = re.compile(r"\((?:\?:|(?!\?))")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(?:\d+(?:,\d*)?|,\d*)\})[?+]?")
_LIMIT = 1000  # alternatives of one route


class Unreadable(ValueError):
    """The expression cannot be read; the text says why."""


class Expression(NamedTuple):
    """A regular expression that follows another one. Without ``begins``, any text may stand before what it matches.

    ``ends`` says the same about the text behind.
    """

    text: str
    begins: bool = True
    ends: bool = True


class Parameter(NamedTuple):
    """Where paths differ: ``regex`` matches its text, which may contain slashes if ``several``."""

    regex: str
    several: bool = False


class _Anchor(Enum):
    START = "^"
    END = "$"


Piece = str | Parameter
Pieces = tuple[Piece, ...]
_Raw = tuple[Piece | _Anchor, ...]

_ANY = Parameter(".*", several=True)
_ANCHORS = {"A": _Anchor.START, "Z": _Anchor.END, "z": _Anchor.END}


def literal(text: str) -> Expression:
    """The expression of a text."""
    return Expression(re.escape(text))


def read(expressions: Iterable[Expression]) -> list[Pieces]:
    """Return the alternatives that expressions match together, one behind the other.

    :raises Unreadable: one has something else than texts, classes, groups, alternatives and repetitions, or there are
        too many.
    """
    found: list[_Raw] = [()]
    for each in expressions:
        found = _joined(found, _anchored(each))
    return list(dict.fromkeys(map(_merged, found)))


def _anchored(expression: Expression) -> list[_Raw]:
    """The alternatives of an expression, without anchors."""
    found: list[_Raw] = []
    for raw in _Reader(expression.text).whole():
        begins, ends = raw[:1] == (_Anchor.START,), raw[-1:] == (_Anchor.END,)
        heads: list[_Raw] = [()] if begins or expression.begins else [(), (_ANY,)]
        tails: list[_Raw] = [()] if ends or expression.ends else [(), (_ANY,)]
        found += [head + raw[begins : len(raw) - ends] + tail for head, tail in product(heads, tails)]
    if any(isinstance(piece, _Anchor) for raw in found for piece in raw):
        raise Unreadable("an anchor stands within its expression")
    return found


def _joined(heads: Sequence[_Raw], tails: Sequence[_Raw]) -> list[_Raw]:
    if len(heads) * len(tails) > _LIMIT:
        raise Unreadable(f"it has more than {_LIMIT} alternatives")
    return [head + tail for head, tail in product(heads, tails)]


def _merged(raw: _Raw) -> Pieces:
    """The same with texts and parameters that stand side by side as one."""
    pieces: list[Piece] = []
    for piece in raw:
        last = pieces[-1] if pieces else None
        if isinstance(piece, str) and isinstance(last, str):
            pieces[-1] = last + piece
        elif isinstance(piece, Parameter) and isinstance(last, Parameter):
            pieces[-1] = Parameter(last.regex + piece.regex, last.several or piece.several)
        elif not isinstance(piece, _Anchor):
            pieces.append(piece)
    return tuple(pieces)


class _Reader:
    """Reads one regular expression of :mod:`re` from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at = _NAME.sub("(?:", text), 0

    def whole(self) -> list[_Raw]:
        found = self._alternatives()
        if self._at < len(self._text):
            raise self._unreadable()
        return found

    def _alternatives(self) -> list[_Raw]:
        found = self._sequence()
        while self._next() == "|":
            self._at += 1
            found += self._sequence()
        return found

    def _sequence(self) -> list[_Raw]:
        found: list[_Raw] = [()]
        while self._next() not in ("", "|", ")"):
            found = _joined(found, self._item())
        return found

    def _item(self) -> list[_Raw]:
        start, atom = self._at, self._atom()
        quantifier = self._take(_QUANTIFIER)
        if not quantifier:
            return atom
        if quantifier[0] == "?":
            return [*atom, ()]
        return _repeated(self._text[start : self._at], atom)

    def _atom(self) -> list[_Raw]:
        if self._next() == "(":
            return self._group()
        if self._next() == "[":
            return _one_of(self._take(_CLASS))
        mark, self._at = self._next(), self._at + 1
        if mark == "\\":
            return self._escape()
        if mark == ".":
            return _one_of(mark)
        if mark in "^$":
            return [(_Anchor(mark),)]
        return [(mark,)]

    def _group(self) -> list[_Raw]:
        if not self._take(_GROUP):
            raise self._unreadable()
        found = self._alternatives()
        self._at += 1
        return found

    def _escape(self) -> list[_Raw]:
        mark, self._at = self._next(), self._at + 1
        if mark in _ANCHORS:
            return [(_ANCHORS[mark],)]
        if mark in "dDsSwW":
            return _one_of("\\" + mark)
        if mark.isalnum():
            raise self._unreadable()
        return [(mark,)]

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, token: re.Pattern[str]) -> str:
        match = token.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match[0] if match else ""

    def _unreadable(self) -> Unreadable:
        return Unreadable(f"its expression cannot be read at {self._text[self._at :]!r}")


def _one_of(regex: str) -> list[_Raw]:
    """One character."""
    return [(Parameter(regex, several=bool(re.fullmatch(regex, "/"))),)]


def _repeated(regex: str, atom: Sequence[_Raw]) -> list[_Raw]:
    if any(isinstance(piece, _Anchor) for raw in atom for piece in raw):
        raise Unreadable("an anchor stands within its expression")
    several = any(piece.several if isinstance(piece, Parameter) else "/" in str(piece) for raw in atom for piece in raw)
    parameter = Parameter(regex, several)
    return [(parameter,), ()] if re.fullmatch(regex, "") else [(parameter,)]
