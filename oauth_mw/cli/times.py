"""How commands are given times and durations."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from math import ceil, floor

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"([0-9]{1,12})([smhdw]?)")


def parse_instant(text: str) -> int:
    """Parse Unix seconds, or a date with or without time in ISO 8601, in UTC unless it has an offset."""
    return floor(_instant(text, "2030-01-31 or 2030-01-31T12:00:00Z"))


def parse_past(text: str) -> int:
    """Parse an instant, rounded up, or a duration with a unit, which was so long ago. Return Unix seconds."""
    found = _DURATION.fullmatch(text)
    if found and found[2]:
        return max(int(time.time()) - parse_duration(text), 0)
    return max(ceil(_instant(text, "2030-01-31T12:00:00Z or 2h")), 0)


def _instant(text: str, like: str) -> float:
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is neither Unix seconds nor like {like}") from None


def parse_duration(text: str) -> int:
    """Parse seconds, or a number with one of the units s, m, h, d and w. Return seconds."""
    if not (found := _DURATION.fullmatch(text)):
        raise click.BadParameter(f"{text!r} is neither seconds nor like 90d, 12h or 30m")
    return int(found[1]) * _UNITS[found[2]]
