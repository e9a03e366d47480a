"""Ambiguous paths: those that some framework reads as another path than the rules do."""

from __future__ import annotations

import re

# "@@" names a view in Pyramid's traversal.
_AMBIGUOUS = re.compile(r"//|/\.\.?(?:/|\Z)|/@@|[\\;\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")


def is_ambiguous(path: str) -> bool:
    """True when an app could read ``path`` (a raw ``PATH_INFO``) as another one than the rules do."""
    return bool(path) and (path[0] != "/" or _AMBIGUOUS.search(path) is not None or not _is_utf8(path))


def _is_utf8(path: str) -> bool:
    """False for bytes that some frameworks drop and others replace (PEP 3333: each is one character of ``path``)."""
    try:
        return path.isascii() or bool(path.encode("latin-1").decode())
    except UnicodeError:
        return False
