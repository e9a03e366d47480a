"""Rates: how many within a time, as ``100/minute``."""

from __future__ import annotations

import re
from typing import NamedTuple

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}
MAX_AMOUNT = 1_000_000_000

_NAMES = {seconds: name for name, seconds in UNITS.items()}
_RATE = re.compile(rf"([1-9][0-9]{{0,9}})/({'|'.join(UNITS)})", re.ASCII)


class Rate(NamedTuple):
    """``amount`` within ``seconds``."""

    amount: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.amount}/{_NAMES[self.seconds]}"


def parse_rate(text: str) -> Rate:
    """Return the rate that ``text`` names, such as ``100/minute``.

    :raises ValueError: it names none; the text says what was expected.
    """
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) > MAX_AMOUNT:
        raise ValueError(
            f"expected a rate such as 100/minute: a whole number per {', '.join(UNITS)}, got {text[:40]!r}"
        )
    return Rate(int(found[1]), UNITS[found[2]])
