"""Ambiguous paths: those that some framework reads as a different path than the rules do."""

from __future__ import annotations

import re

# "@@" names a view in Pyramid's traversal.
_AMBIGUOUS = re.compile(r"//|/\.\.?(?:/|\Z)|/@@|[\\;\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")


def is_ambiguous(path: str) -> bool:
    """True if an app could read ``path`` (a raw ``PATH_INFO``) as a different path than the rules do."""
    return bool(path) and (path[0] != "/" or _AMBIGUOUS.search(path) is not None or not _is_utf8(path))


def _is_utf8(path: str) -> bool:
    """Check the bytes of ``path`` (PEP 3333: a character each): frameworks drop or replace those that are not UTF-8."""
    try:
        return path.isascii() or bool(path.encode("latin-1").decode())
    except UnicodeError:
        return False
