"""The form that the token endpoint reads: media type, encoding, size (RFC 6749, Appendix B)."""

from __future__ import annotations

import gzip

import pytest

from helpers.support import one_store
from helpers.wsgi_client import Untouched

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"

pytestmark = one_store

CASES = [FORM.upper(), "Application/X-WWW-Form-Urlencoded"]
PARAMETERS = ["; charset=UTF-8", ";charset=utf-8", " ; charset=utf-8", '; charset="utf-8"', ";charset=us-ascii"]


@pytest.mark.parametrize("media_type", CASES + [FORM + each for each in (*PARAMETERS, "; boundary=x", ";")])
def test_the_media_type_has_any_case_and_parameters(post, media_type):  # T-13
    assert post(CONTENT_TYPE=media_type).status == 200


OTHERS = {
    "JSON": ["application/json"],
    "multipart": ["multipart/form-data; boundary=x"],
    "text": ["text/plain"],
    "near": [FORM + "x", "x" + FORM, "application/x-www-form-url\xa0encoded"],
    "two": [f"{FORM}, application/json", f"application/json, {FORM}"],
    "another charset": [f"{FORM}; charset={name}" for name in ("utf-16", "utf-7", "latin-1", "utf-8; charset=utf-16")],
    "any or none": ["*/*", "", None],
    "long": [FORM + ";" * 500],
}


@pytest.mark.parametrize("media_types", OTHERS.values(), ids=OTHERS)
def test_another_media_type_is_refused(post, media_types):  # T-14, H-13
    for media_type in media_types:
        answer = post(CONTENT_TYPE=media_type)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        (b"%67rant%5Ftype=client%5fcredentials&scope=read", "read"),
        (b"grant_type=client_credentials&scope=read+write", "read write"),
        (b"grant_type=client_credentials&scope=read%20write", "read write"),
        (b"&&grant_type=client_credentials&&scope=write&", "write"),
    ],
)
def test_names_and_values_are_form_decoded(post, body, scope):  # T-19
    assert f'"scope": "{scope}"'.encode() in post(body).body


BROKEN = {
    "a bad escape": [CC + tail for tail in (b"&x=%zz", b"&x=%", b"&x=%4", b"&x=%u0041", b"&%zz=x")],
    "latin-1": [CC + b"&x=%e4", CC + b"&x=\xe4"],
    "not UTF-8": [CC + b"&x=%c0%af", CC + b"&x=%ed%a0%80", CC + b"&" + bytes(range(256))],
    "NUL": [CC + b"&x=%00", CC + b"&x%00=y", CC + b"&x=\0", b"\0" + CC],
    "no =": [CC + b"&x"],
    "JSON": [b'{"grant_type": "client_credentials"}'],
    "a semicolon": [b"scope=read;" + CC],
    "bytes before": [b"\xef\xbb\xbf" + CC, b"\xff\xfe" + CC],
    "UTF-16": [CC.decode().encode("utf-16")],
    "many parameters": [CC + b"&a=b" * 300],
}


@pytest.mark.parametrize("bodies", BROKEN.values(), ids=BROKEN)
def test_another_encoding_is_invalid_and_not_echoed(post, bodies):  # T-16, T-19, T-20, T-21, L-01, L-06
    for body in bodies:
        answer = post(body)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)
    assert b"hunter2" not in post(bodies[0] + b"&hunter2=%zzhunter2").body
    assert post().status == 200


def test_a_semicolon_is_part_of_the_value(post):  # T-19
    assert b"unsupported_grant_type" in post(CC + b";scope=read").body


@pytest.mark.parametrize("length", ["65537", str(10 * 2**30), "9" * 18])
def test_a_body_that_is_announced_too_large_is_not_read(post, length):  # T-21
    assert post(CONTENT_LENGTH=length, **{"wsgi.input": Untouched()}).status == 413


LARGE = {
    "up to the limit": (b"&x=" + b"y" * (65533 - len(CC)), 200),
    "20000 parameters": (b"&a=b" * 20_000, 413),
    "12000 empty": (b"&a=" * 12_000, 400),
    "only &": (b"&" * 60_000, 200),
    "escapes": (b"&x=" + b"%41" * 20_000, 200),
    "only =": (b"&" + b"a=" * 30_000, 200),
}


@pytest.mark.parametrize(("tail", "status"), LARGE.values(), ids=LARGE)
def test_a_body_up_to_the_limit_is_read(post, tail, status):  # T-21
    assert post(CC + tail).status == status


def test_a_coded_body_is_not_decoded(post):  # H-14
    bomb = gzip.compress(CC + b"&x=" + b"y" * 1_000_000)

    assert post(bomb, HTTP_CONTENT_ENCODING="gzip").status == 400
    assert post(HTTP_CONTENT_ENCODING="br").status == 400
    assert post(HTTP_CONTENT_ENCODING="identity").status == 200
