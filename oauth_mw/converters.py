"""Converters of options, from keyword arguments, ini strings and flags. They raise ``ValueError`` for bad values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, TypeVar

from .credentials import MAX_PASSWORD, MIN_SECRET, password_fault
from .errors import Faults
from .protocols import Store
from .resources import MAX_RESOURCES, SEVERAL, is_resource
from .rules import Pattern, Rule, is_ambiguous, parse_pattern, parse_rule
from .scopes import check_scopes
from .texts import unprintable
from .urls import is_url

OFF = "off"
# A comma, or inside an item of a Python list a space, that was meant as a separator.
_COMMA = re.compile(r"\A,|,\Z")
_PATH_COMMA = re.compile(r"\A,|[ ,](?=/|\Z)")
_TRUE = frozenset("true yes on y t 1".split())
_FALSE = frozenset("false no off n f 0".split())
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

Convert = Callable[[object], Any]
T = TypeVar("T")


def boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"expected true or false, got {value!r}")


def integer(low: int, high: int) -> Convert:
    def convert(value: object) -> int:
        text = value.strip() if isinstance(value, str) else str(value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}, got {value!r}")
        return int(text)

    return convert


def seconds(low: float, high: float, *, or_zero: bool = False) -> Convert:
    """A converter for finite numbers from ``low`` to ``high``, and 0 if ``or_zero``; strings in decimal notation."""
    allowed = f"{'0, or ' * or_zero}seconds from {low:g} to {high:g}"

    def convert(value: object) -> float:
        number = _number(value)
        if number is None or not (low <= number <= high or (or_zero and number == 0)):
            raise ValueError(f"expected {allowed}, got {value!r}")
        return number

    return convert


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):  # Decimal("sNaN"), 10**400
        return None


def own_path(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a path that begins with /, or {OFF}, got {value!r}")
    if value == OFF:
        return None
    if is_ambiguous(value) or re.search(r"[*{}]| [#/]|,([ /]|\Z)", value) or not value.isascii():
        raise ValueError(
            f"expected one exact ASCII path that begins with /, without patterns, list and comment, or {OFF},"
            f" got {value!r}"
        )
    return value


def words(value: object, several: re.Pattern[str] = _COMMA) -> tuple[str, ...]:
    """A list, or words separated by spaces. ``several`` matches a word that was meant to be several."""
    found = value.split() if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not all(isinstance(word, str) and word for word in found):
        raise ValueError(f"expected a list, or words separated by spaces, got {value!r}")
    if any(map(several.search, found)):
        meant = " ".join(" ".join(several.sub(" ", word) for word in found).split())
        raise ValueError(f"expected a list, or words separated by spaces, without commas; did you mean {meant!r}?")
    return tuple(found)


def some_of(choices: Collection[str]) -> Convert:
    def convert(value: object) -> tuple[str, ...]:
        chosen = words(value)
        if not chosen or not set(chosen) <= set(choices):
            raise ValueError(f"expected one or more of {' '.join(choices)}, with spaces between, got {value!r}")
        return tuple(dict.fromkeys(chosen))

    return convert


def one_of(*choices: str) -> Convert:
    def convert(value: object) -> str:
        if value not in choices:
            raise ValueError(f"expected {' or '.join(choices)}, got {value!r}")
        return str(value)

    return convert


def scopes(value: object) -> tuple[str, ...]:
    """Scope tokens (RFC 6749 §3.3), a list or one string."""
    return check_scopes(words(value))


def public_paths(value: object) -> tuple[Pattern, ...]:
    return _each(lambda text: parse_pattern(text, "public_paths"), words(value, _PATH_COMMA))


def rules(value: object) -> tuple[Rule, ...]:
    if isinstance(value, str):
        value = [line for line in map(str.strip, value.splitlines()) if line]
    if not isinstance(value, Sequence):
        raise ValueError(f"expected rules, each (METHODS, PATH, SCOPES) or a line of the three, got {value!r}")
    return _each(parse_rule, value)


def _each(parse: Callable[[Any], T], values: Iterable[Any]) -> tuple[T, ...]:
    """Parse all values, and raise one ``ConfigError`` with the faults of all."""
    found, faults = [], Faults()
    for value in values:
        with faults:
            found.append(parse(value))
    faults.raise_all()
    return tuple(found)


def text(pattern: str, expected: str) -> Convert:
    def convert(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}, got {value!r}")
        return value

    return convert


realm = text(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}", "printable ASCII without quotes and backslash")
prefix = text(r"[A-Za-z0-9._~+/-]{0,32}", "at most 32 letters, digits or . _ ~ + / - (RFC 6750 §2.1)")


def store(value: object) -> str | Store:
    if isinstance(value, str) or hasattr(value, "read_log"):
        return value  # type: ignore[return-value]  # a Store, by its methods
    # Do not show the value: it may contain a password.
    raise ValueError(f"expected a store URL or an open store, not {type(value).__name__}")


def url(value: object) -> str:
    """A URL, kept as written. The error does not show it: it may contain a password."""
    if not isinstance(value, str) or not is_url(value):
        raise ValueError(
            "expected an https URL, or http for a loopback host, in plain ASCII, without user, query and fragment,"
            " and with an unambiguous path (no %XX, no empty or dot segment)"
        )
    return value


def audience(value: object) -> tuple[str, ...]:
    """The identifiers of a resource server (RFC 8707 §2)."""
    chosen = tuple(dict.fromkeys(words(value, SEVERAL)))
    if not 0 < len(chosen) <= MAX_RESOURCES or not all(map(is_resource, chosen)):
        raise ValueError(f"expected 1 to {MAX_RESOURCES} absolute URIs without fragment (RFC 8707 §2), got {value!r}")
    return chosen


def secret(value: object) -> str:
    """A secret that is hard to guess. The error does not show it."""
    fault = password_fault(value) if isinstance(value, str) else "it is not a string"
    if fault:
        raise ValueError(
            f"expected {MIN_SECRET} to {MAX_PASSWORD} printable characters that are hard to guess, and {fault}."
            " Set what 'openssl rand -hex 32' prints; for keys that are stored already, call 'oauth-mw key rotate' then"
        )
    return str(value)


def files(value: object) -> tuple[str, ...]:
    chosen = words(value)
    if not chosen or any(map(unprintable, chosen)) or len(set(chosen)) < len(chosen):
        raise ValueError(f"expected one file or more, each once, got {value!r}")
    return chosen
