"""Strict parsing of untrusted input: body, form, Authorization.

WebOb's own readers are lenient: they accept a length of ``-1``, and decode bad bytes as U+FFFD.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp, b2a_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import InvalidRequest, PayloadTooLarge

if TYPE_CHECKING:
    from .webob import Request

MAX_BODY = 64 * 1024
MAX_PARAMETERS = 256
MAX_MEDIA_TYPE = 512
FORM = "application/x-www-form-urlencoded"

# RFC 6749 §3.2: none of these may be repeated.
SINGLE = frozenset(
    "grant_type scope state client_id client_secret client_assertion client_assertion_type"
    " token token_type_hint".split()
)
# RFC 8707 §2: these may be. A Form joins their values by NUL, which no value contains: see values_of().
RESOURCE, AUDIENCE = "resource", "audience"
REQUESTED_METHOD = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"

_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UTF8 = re.compile(r'charset="?utf-?8"?', re.IGNORECASE)
_NOT_ASCII = re.compile(rb"[\x80-\xff]|%[89A-Fa-f]")
# As numbers, since to look for bytes in bytes, Python first makes an exception, and a text of it.
_PERCENT, _PLUS, _COLON = b"%+:"

Form = dict[str, str]


def read_form(request: Request, *, every: bool = False, empty_of_any_type: bool = False) -> Form:
    """Read the form parameters of the body (RFC 6749 §3.2, Appendix B); those without a value count as omitted.

    An empty body needs no Content-Type. Another charset than UTF-8 may be named for a body that is ASCII, once decoded.

    :param every: see :func:`parse_form`.
    :param empty_of_any_type: accept an empty body whatever its Content-Type.
    :raises InvalidRequest: a wrong media type, a broken length or encoding, or a repeated parameter.
    :raises PayloadTooLarge: more than :data:`MAX_BODY` bytes.
    """
    environ = request.environ
    body = _read_body(environ) if empty_of_any_type else None
    if body == b"":
        return {}
    media_type = environ.get("CONTENT_TYPE", "")
    is_utf8 = not media_type or _is_utf8(media_type)
    if body is None:
        body = _read_body(environ)
    if body and not media_type:
        raise InvalidRequest(f"The Content-Type is missing: send {FORM}")
    if not is_utf8 and _NOT_ASCII.search(body):
        raise InvalidRequest("The charset in the Content-Type is not UTF-8: send the parameters in UTF-8")
    return parse_form(body, every=every) if every else parse_form(body)


def parse_form(body: bytes, *, every: bool = False) -> Form:
    """Decode ``name=value&…`` strictly: ``%XX`` and ``+``, UTF-8, no NUL.

    :param every: also keep parameters that OAuth does not know; all values of one that is repeated.
    :raises InvalidRequest: anything else, more than :data:`MAX_BODY` bytes, or a repeated OAuth parameter.
    """
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"The parameters are too long: at most {MAX_BODY} bytes are accepted")
    pieces = [piece for piece in body.split(b"&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise InvalidRequest(f"There are too many parameters: at most {MAX_PARAMETERS} are accepted")
    form: Form = {}
    seen: set[str] = set()
    decode = form_decode if is_encoded(body) else bytes.decode
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        if not equals:
            raise InvalidRequest("A parameter has no '=': send name=value pairs joined by &")
        try:
            key, text = decode(name), decode(value)
        except ValueError:
            raise InvalidRequest("A parameter is not form-encoded UTF-8: write special characters as %XX") from None
        if "\0" in key or "\0" in text:
            raise InvalidRequest("A parameter holds the character NUL")
        if key in SINGLE:
            if key in seen:
                raise InvalidRequest(f"The parameter {key} was sent more than once: send it once")
            seen.add(key)
            if text:
                form[key] = text
        elif (key in (RESOURCE, AUDIENCE) or every) and text:
            form[key] = f"{form[key]}\0{text}" if key in form else text
    return form


def query_of(request: Request) -> bytes:
    query: str = request.environ.get("QUERY_STRING", "")
    return query.encode("latin-1", "replace")


def is_in_query(request: Request, name: str) -> bool:
    return any(piece.startswith(f"{name}=".encode()) for piece in query_of(request).split(b"&"))


def values_of(text: str) -> tuple[str, ...]:
    """Split the values of a repeatable parameter of a form, without duplicates."""
    return tuple(dict.fromkeys(text.split("\0")))


def is_encoded(raw: bytes) -> bool:
    """Whether :func:`form_decode` would change anything."""
    return _PERCENT in raw or _PLUS in raw


def form_decode(raw: bytes) -> str:
    """Decode one form-encoded string (RFC 6749, Appendix B), or raise ``ValueError``: a bad ``%XX``, or not UTF-8."""
    if _PERCENT in raw:
        if _BAD_ESCAPE.search(raw):
            raise ValueError("bad percent-encoding")
        # Quoted-printable (RFC 2045 §6.7) is the same with "=" for "%", and its decoder is written in C.
        raw = a2b_qp(raw.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))
    elif _PLUS in raw:
        raw = raw.replace(b"+", b" ")
    return raw.decode("utf-8")


def is_preflight(environ: Mapping[str, object]) -> bool:
    """True for a CORS preflight (https://fetch.spec.whatwg.org/#cors-preflight-request)."""
    return environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ORIGIN" in environ and REQUESTED_METHOD in environ


def basic_credentials(value: str) -> bytes | None:
    """Decode strictly what follows ``Basic`` in an Authorization header; ``None`` if it is malformed (RFC 7617 §2)."""
    try:
        decoded = a2b_base64(value, strict_mode=True)
    except ValueError:
        return None
    # Strict decoding still ignores non-zero unused bits.
    if b2a_base64(decoded, newline=False).decode() != value or _COLON not in decoded:
        return None
    return decoded


def _is_utf8(value: str) -> bool:
    """Whether a Content-Type names no other charset. ``InvalidRequest`` is raised if it is not that of a form."""
    if value == FORM:
        return True
    media_type, *parameters = value.split(";")
    if len(value) > MAX_MEDIA_TYPE or media_type.strip(" \t").lower() != FORM:
        raise InvalidRequest(f"The Content-Type is wrong: send {FORM}")
    charsets = [text for each in parameters if (text := each.strip(" \t")).lower().startswith("charset")]
    return all(map(_UTF8.fullmatch, charsets))


def _read_body(environ: dict[str, object]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
    if length and chunked:
        raise InvalidRequest("Both Content-Length and Transfer-Encoding were sent: send one of them")
    encoding = environ.get("HTTP_CONTENT_ENCODING")
    if encoding and str(encoding).lower() != "identity":
        raise InvalidRequest("The body has a Content-Encoding: send it without")
    if not length:
        # PEP 3333 forbids reading without a length, unless the server says that the input is terminated.
        if environ.get("wsgi.input_terminated"):
            return _read(environ, MAX_BODY + 1, exact=False)
        if chunked:
            raise InvalidRequest("The body is chunked, which this server does not support: send a Content-Length")
        return b""
    if not isinstance(length, str) or not _CONTENT_LENGTH.fullmatch(length):
        raise InvalidRequest("The Content-Length is not a number")
    if int(length) > MAX_BODY:
        raise PayloadTooLarge("the announced body is too large")
    return _read(environ, int(length), exact=True)


def _read(environ: dict[str, object], size: int, *, exact: bool) -> bytes:
    pieces = []
    while size > 0:
        try:
            piece = environ["wsgi.input"].read(size)  # type: ignore[attr-defined]  # PEP 3333 says that it has one
        except Exception:  # each server has its own errors for a cut or broken body
            raise InvalidRequest("The body could not be read") from None
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    if exact and size:
        raise InvalidRequest("The body is shorter than its Content-Length")
    if not exact and not size:
        raise PayloadTooLarge("the body is too large")
    return b"".join(pieces)
