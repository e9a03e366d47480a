"""Strict parsing of untrusted input: body, form, Authorization.

WebOb's own readers are lenient: they accept a length of ``-1``, and decode bad bytes as U+FFFD.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp, b2a_base64
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
# RFC 8707 §2: this one may be. A Form joins its values by NUL, which no value contains: see values_of().
RESOURCE = "resource"

_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CHARSET = re.compile(r'charset="?(utf-?8|us-ascii)"?', re.IGNORECASE)

Form = dict[str, str]


def read_form(request: Request, *, may_be_empty: bool = False) -> Form:
    """Read the form parameters of the body (RFC 6749 §3.2, Appendix B); those without a value count as omitted.

    :param may_be_empty: an empty body needs no Content-Type.
    :raises InvalidRequest: a wrong media type, a broken length or encoding, or a repeated parameter.
    :raises PayloadTooLarge: more than :data:`MAX_BODY` bytes.
    """
    environ = request.environ
    media_type = environ.get("CONTENT_TYPE", "")
    if not may_be_empty or media_type:
        _check_media_type(media_type)
    body = _read_body(environ)
    if body and not media_type:
        raise InvalidRequest("the request has no Content-Type")
    return parse_form(body)


def parse_form(body: bytes) -> Form:
    """Decode ``name=value&…`` strictly: ``%XX`` and ``+``, UTF-8, no NUL.

    :raises InvalidRequest: anything else, more than :data:`MAX_BODY` bytes, or a repeated OAuth parameter.
    """
    if len(body) > MAX_BODY:
        raise InvalidRequest("the parameters are too long")
    pieces = [piece for piece in body.split(b"&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise InvalidRequest("too many parameters")
    form: Form = {}
    seen: set[str] = set()
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        if not equals:
            raise InvalidRequest("a form parameter has no '='")
        try:
            key, text = form_decode(name), form_decode(value)
        except ValueError:
            raise InvalidRequest("the form encoding is broken") from None
        if "\0" in key or "\0" in text:
            raise InvalidRequest("a form parameter holds NUL")
        if key in SINGLE:
            if key in seen:
                raise InvalidRequest("a parameter was sent twice")
            seen.add(key)
            if text:
                form[key] = text
        elif key == RESOURCE and text:
            form[key] = f"{form[key]}\0{text}" if key in form else text
    return form


def values_of(text: str) -> tuple[str, ...]:
    """Split the values of a repeatable parameter of a form, without duplicates."""
    return tuple(dict.fromkeys(text.split("\0")))


def form_decode(raw: bytes) -> str:
    """Decode one form-encoded string (RFC 6749, Appendix B), or raise ``ValueError``: a bad ``%XX``, or not UTF-8."""
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            raise ValueError("bad percent-encoding")
        # Quoted-printable (RFC 2045 §6.7) is the same with "=" for "%", and its decoder is written in C.
        raw = a2b_qp(raw.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))
    elif b"+" in raw:
        raw = raw.replace(b"+", b" ")
    return raw.decode("utf-8")


def basic_credentials(value: str) -> bytes | None:
    """Decode strictly what follows ``Basic`` in an Authorization header; ``None`` if it is malformed (RFC 7617 §2)."""
    try:
        decoded = a2b_base64(value, strict_mode=True)
    except ValueError:
        return None
    # Strict decoding still ignores non-zero unused bits.
    if b2a_base64(decoded, newline=False).decode() != value or b":" not in decoded:
        return None
    return decoded


def _check_media_type(value: str) -> None:
    if value == FORM:
        return
    if len(value) > MAX_MEDIA_TYPE:
        raise InvalidRequest("the Content-Type is too long")
    media_type, *parameters = value.split(";")
    if media_type.strip(" \t").lower() != FORM:
        raise InvalidRequest("the Content-Type is not " + FORM)
    for parameter in parameters:
        text = parameter.strip(" \t")
        if text.lower().startswith("charset") and not _CHARSET.fullmatch(text):
            raise InvalidRequest("the charset of the form is not UTF-8")


def _read_body(environ: dict[str, object]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
    if length and chunked:
        raise InvalidRequest("both Content-Length and Transfer-Encoding")
    encoding = environ.get("HTTP_CONTENT_ENCODING")
    if encoding and str(encoding).lower() != "identity":
        raise InvalidRequest("the body has a Content-Encoding")
    if not length:
        # PEP 3333 forbids reading without a length, unless the server says that the input is terminated.
        if environ.get("wsgi.input_terminated"):
            return _read(environ, MAX_BODY + 1, exact=False)
        if chunked:
            raise InvalidRequest("the body is chunked, but the server does not set wsgi.input_terminated")
        return b""
    if not isinstance(length, str) or not _CONTENT_LENGTH.fullmatch(length):
        raise InvalidRequest("the Content-Length is not a number")
    if int(length) > MAX_BODY:
        raise PayloadTooLarge("the announced body is too large")
    return _read(environ, int(length), exact=True)


def _read(environ: dict[str, object], size: int, *, exact: bool) -> bytes:
    read = environ["wsgi.input"].read  # type: ignore[attr-defined]  # PEP 3333 says that it has one
    pieces = []
    while size > 0:
        try:
            piece = read(size)
        except Exception:  # each server has its own errors for a cut or broken body
            raise InvalidRequest("the body could not be read") from None
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    if exact and size:
        raise InvalidRequest("the body is shorter than announced")
    if not exact and not size:
        raise PayloadTooLarge("the body is too large")
    return b"".join(pieces)
