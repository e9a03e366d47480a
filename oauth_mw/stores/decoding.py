"""Decode what is read from a store. What this code never writes there is an outage, not a fault of the code.

SQLite keeps any value in any column, Redis has only text, and both can be changed by hand or by a broken disk. Each
decoder raises one of :data:`FAULTS` for what it does not accept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..errors import StoreUnavailable
from ..model import MAX_LIFETIME, MAX_NUMBER, QUOTA_MODES, TOKEN_FORMATS, Value

# ValueError is also the base of the errors of Unicode and JSON.
FAULTS = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)

T = TypeVar("T")


def read(what: str, reader: Callable[..., T], *found: Any) -> T:
    """Decode ``found`` by ``reader``.

    :param what: what ``found`` is, for the log.
    :raises StoreUnavailable: the reader does not accept it.
    """
    try:
        return reader(*found)
    except FAULTS:
        raise StoreUnavailable(f"{what} is garbled") from None


def text(found: Any) -> str:
    """Text without lone surrogates, which nothing could send or show."""
    if type(found) is not str:
        raise TypeError("no text")
    if not found.isascii():
        found.encode()
    return found


def words(found: Any) -> tuple[str, ...]:
    return tuple(text(found).split())


def number(found: Any) -> int:
    """A time or a position, not ``True``, which is an ``int`` in Python."""
    if type(found) is int and 0 <= found < MAX_NUMBER:
        return found
    raise ValueError("no time or position")


def decimal(found: Any) -> int:
    if not found.isdigit():
        raise ValueError("no digits")
    return number(int(found))


def blob(found: Any) -> bytes:
    # bytes() of a number would be as many zeros.
    if type(found) is not bytes:
        raise TypeError("no bytes")
    return found


# SQLite keeps a boolean as a number.
flag: Callable[[Any], bool] = {0: False, 1: True}.__getitem__


def lifetime(found: Any) -> int:
    if not 1 <= number(found) <= MAX_LIFETIME:
        raise ValueError("no lifetime")
    return number(found)


def token_format(found: Any) -> str:
    if found not in TOKEN_FORMATS:
        raise ValueError("no token format")
    return text(found)


def quota_mode(found: Any) -> str:
    if found not in QUOTA_MODES:
        raise ValueError("no mode of a quota")
    return text(found)


def maybe(reader: Callable[[Any], T], found: Any) -> T | None:
    return None if found is None else reader(found)


def attributes(found: Any) -> Mapping[str, Value]:
    if type(found) is not dict:
        raise TypeError("no object")
    return MappingProxyType({text(name): _value(value) for name, value in found.items()})


def texts_by_name(found: Any) -> Mapping[str, str]:
    if type(found) is not dict:
        raise TypeError("no object")
    return MappingProxyType({text(name): text(value) for name, value in found.items()})


def _value(found: Any) -> Value:
    if type(found) is str:
        return text(found)
    if type(found) is float and math.isfinite(found):
        return found
    if type(found) is not int and type(found) is not bool:
        raise ValueError("no value of an attribute")
    return found


def decoded(found: Any) -> Any:
    return json.loads(blob(found).decode())
