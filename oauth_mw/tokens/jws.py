"""JWS in the compact serialization (RFC 7515 §3.1), read strictly (RFC 8725).

The payload is not parsed before the signature is verified, by a key of this server and with the one algorithm of that
key. A header cannot name another key, or a URL to fetch one from.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import TokenRefused

if TYPE_CHECKING:
    from ..keys.keypair import Key

MAX_JWS_LENGTH = 8192
MAX_HEADER_LENGTH = 512
MAX_DEPTH = 4
MAX_HEADERS = 64
MIN_LENGTH = 100  # every JWS with a key id in its header is longer, and every opaque token shorter

# With arguments, json.dumps makes a new encoder for each call.
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_BACKSLASH = ord("\\")  # as a number: see oauth_mw.http
_MEMBERS = {"typ", "alg", "kid"}
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def is_compact(text: str) -> bool:
    """True if the text has the form of a JWS and cannot be an opaque token."""
    return len(text) >= MIN_LENGTH and text.count(".") == 2


def header_of(key: Key, kind: str) -> bytes:
    """The first segment, with its dot, of everything of this type (without ``application/``) that ``key`` signs."""
    return _encoded(_compact({"typ": kind, "alg": key.algorithm, "kid": key.kid}).encode()) + b"."


def sign(header: bytes, members: dict[str, object], key: Key) -> str:
    """Sign ``members``. The header is what :func:`header_of` returns for ``key``."""
    message = header + _encoded(_compact(members).encode())
    return (message + b"." + _encoded(key.sign(message))).decode()


class Reader:
    """Verifies and parses JWS of one type.

    :param kind: the type, without ``application/`` (RFC 8725 §3.11).
    :param find: returns the key with this id, or ``None``.
    """

    def __init__(self, kind: str, find: Callable[[str], Key | None]) -> None:
        self._kinds = {kind, "application/" + kind}
        self._find = find
        self._memo: dict[bytes, tuple[str, str]] = {}  # parsed headers: all tokens of a key have the same

    def open(self, text: str) -> dict[str, Any]:
        """Return the members of a text that a key of this server has signed, or raise ``TokenRefused``."""
        if len(text) > MAX_JWS_LENGTH or text.count(".") != 2 or not text.isascii():
            raise TokenRefused("too long, or not three segments of base64url")
        message, _, signature = text.encode().rpartition(b".")
        header, _, payload = message.partition(b".")
        kid, algorithm = self._memo.get(header) or self._header(header)
        key = self._find(kid)
        if key is None or key.algorithm != algorithm:
            raise TokenRefused("unknown key, or another algorithm than the key's")
        if not key.verify(message, _decoded(signature)):
            raise TokenRefused("wrong signature")
        if len(self._memo) < MAX_HEADERS:
            self._memo[header] = kid, algorithm
        return parse_object(_decoded(payload))

    def _header(self, segment: bytes) -> tuple[str, str]:
        if len(segment) > MAX_HEADER_LENGTH:
            raise TokenRefused("header too long")
        header = parse_object(_decoded(segment))
        if header.keys() != _MEMBERS:
            raise TokenRefused("other header members than typ, alg and kid")
        if not all(isinstance(value, str) for value in header.values()) or header["typ"].lower() not in self._kinds:
            raise TokenRefused("another typ, or a member that is not a string")
        return header["kid"], header["alg"]


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object; refuse what two parsers may read differently (RFC 8725 §3.10, RFC 8259 §4)."""
    try:
        found = _parse(data.decode())
        if _BACKSLASH in data:
            _compact(found).encode()  # an escape can be a lone surrogate, which cannot be encoded (RFC 8259 §8.2)
    except (ValueError, RecursionError):
        raise TokenRefused("not strict JSON") from None
    if not isinstance(found, dict):
        raise TokenRefused("not a JSON object")
    _check_depth(found, MAX_DEPTH - 1)
    return found


def _check_depth(found: dict[str, Any] | list[Any], left: int) -> None:
    """Refuse what is nested in more than ``left`` further levels."""
    for each in found.values() if isinstance(found, dict) else found:
        if isinstance(each, (dict, list)):
            if not left:
                raise TokenRefused("too deep")
            _check_depth(each, left - 1)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("not a JSON number, or too large")
    return number


# As for json.dumps above.
_parse = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite).decode


def _encoded(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _decoded(segment: bytes) -> bytes:
    """Decode base64url in its canonical form only."""
    try:
        data = a2b_base64(segment.translate(_FROM_URL) + b"=" * (-len(segment) % 4))
    except ValueError:
        raise TokenRefused("not base64url") from None
    if _encoded(data) != segment:
        raise TokenRefused("not canonical base64url")
    return data
