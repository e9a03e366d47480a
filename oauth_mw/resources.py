"""Resource identifiers, which audiences consist of (RFC 8707 §2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import AdminError

MAX_RESOURCES = 20
MAX_RESOURCE_LENGTH = 512

# RFC 3986 §4.3: an absolute URI, which has no fragment.
_PLAIN = r"A-Za-z0-9._~!$&'()*+,;=\-"
_ESCAPED = "%[0-9A-Fa-f]{2}"
_CHARACTER = f"(?:[{_PLAIN}:@]|{_ESCAPED})"
_USER = f"(?:[{_PLAIN}:]|{_ESCAPED})*@"
_URI_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|(?:[{_PLAIN}]|{_ESCAPED})*)"
_SEGMENTS = f"(?:/{_CHARACTER}*)*"
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*:"
    f"(?://(?:{_USER})?{_URI_HOST}(?::[0-9]*)?{_SEGMENTS}|/(?:{_CHARACTER}+{_SEGMENTS})?|{_CHARACTER}+{_SEGMENTS})"
    rf"(?:\?(?:{_CHARACTER}|[/?])*)?"
)
# A URI may contain a comma, but one at either end, or before what looks like another URI, separates a list.
SEVERAL = re.compile(r"\A,|,(?:\Z|(?=[A-Za-z][A-Za-z0-9+.\-]*:))")
# RFC 9110 §4.2.1
_NO_HOST = re.compile(r"https?:(?!//[^/?:@])", re.IGNORECASE)


def is_resource(text: str) -> bool:
    """True for an absolute URI without a fragment, of bounded length; compared as exact strings."""
    return len(text) <= MAX_RESOURCE_LENGTH and _URI.fullmatch(text) is not None and not _NO_HOST.match(text)


def check_resources(texts: Iterable[str]) -> tuple[str, ...]:
    """Return resource identifiers without duplicates, or raise ``AdminError`` if one is malformed, or for too many."""
    found = tuple(dict.fromkeys(texts))
    for text in found:
        if SEVERAL.search(text):
            raise AdminError(f"{text!r} looks like several audiences: give each one separately, without a comma")
        if not is_resource(text):
            raise AdminError(
                f"{text!r} is not an audience: expected an absolute URI without fragment, such as "
                f"https://api.example.com/v1, of at most {MAX_RESOURCE_LENGTH} characters (RFC 8707 §2)"
            )
    if len(found) > MAX_RESOURCES:
        raise AdminError(f"a client has at most {MAX_RESOURCES} audiences")
    return found
