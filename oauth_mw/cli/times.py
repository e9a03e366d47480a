"""How commands are given times and durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"([0-9]{1,12})([smhdw]?)")


def parse_instant(text: str) -> int:
    """Parse Unix seconds, or a date with or without time in ISO 8601, in UTC unless it has an offset."""
    if text.isascii() and text.isdigit():
        return int(text[:20])
    try:
        read = datetime.fromisoformat(text)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither Unix seconds nor like 2030-01-31 or 2030-01-31T12:00:00Z"
        ) from None


def parse_duration(text: str) -> int:
    """Parse seconds, or a number with one of the units s, m, h, d and w. Return seconds."""
    if not (found := _DURATION.fullmatch(text)):
        raise click.BadParameter(f"{text!r} is neither seconds nor like 90d, 12h or 30m")
    return int(found[1]) * _UNITS[found[2]]
