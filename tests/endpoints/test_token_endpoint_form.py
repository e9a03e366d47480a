"""The form that the token endpoint reads: media type, encoding, size (RFC 6749, Appendix B)."""

from __future__ import annotations

import gzip
import time

import pytest

from helpers.support import TESTER, issue, one_store
from helpers.wsgi_client import Untouched, post_form

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"

pytestmark = one_store


@pytest.fixture
def post(app):
    """POST a body as the client."""
    return lambda body, **keys: post_form(app.app, body, **{"HTTP_AUTHORIZATION": TESTER["Authorization"], **keys})


CASES = [FORM.upper(), "Application/X-WWW-Form-Urlencoded"]
PARAMETERS = ["; charset=UTF-8", ";charset=utf-8", " ; charset=utf-8", '; charset="utf-8"', ";charset=us-ascii"]


@pytest.mark.parametrize("media_type", CASES + [FORM + each for each in (*PARAMETERS, "; boundary=x", ";")])
def test_the_media_type_has_any_case_and_parameters(post, media_type):  # T-13
    assert post(CC, CONTENT_TYPE=media_type).status == 200


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
        answer = post(CC, CONTENT_TYPE=media_type)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)


MULTIPART = b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--x--\r\n'
BODIES = {
    "JSON": ("application/json", b'{"grant_type": "client_credentials"}'),
    "multipart": ("multipart/form-data; boundary=x", MULTIPART),
    "JSON as form": (FORM, b'{"grant_type": "client_credentials"}'),
    "a semicolon between": (FORM, CC + b";scope=read"),
    "a semicolon before": (FORM, b"scope=read;" + CC),
    "a byte order mark": (FORM, b"\xef\xbb\xbf" + CC),
    "bytes before": (FORM, b"\xff\xfe" + CC),
    "UTF-16": (FORM, CC.decode().encode("utf-16")),
    "NUL before": (FORM, b"\0" + CC),
    "many parameters": (FORM, CC + b"&a=b" * 300),
}


@pytest.mark.parametrize(("media_type", "body"), BODIES.values(), ids=BODIES)
def test_another_kind_of_body_is_refused(post, media_type, body):  # T-14, T-19, T-20, T-21
    assert post(body, CONTENT_TYPE=media_type).status == 400


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        (b"grant%5Ftype=client_credentials", "read write"),
        (b"%67rant_type=client%5fcredentials&scope=read", "read"),
        (b"grant_type=client_credentials&scope=read+write", "read write"),
        (b"grant_type=client_credentials&scope=read%20write", "read write"),
        (b"&&grant_type=client_credentials&&scope=write&", "write"),
    ],
)
def test_names_and_values_are_form_decoded(post, body, scope):  # T-19
    assert f'"scope": "{scope}"'.encode() in post(body).body


BROKEN = {
    "a bad escape": [b"&x=%zz", b"&x=%", b"&x=%4", b"&x=%u0041", b"&%zz=x"],
    "latin-1": [b"&x=%e4", b"&x=\xe4"],
    "not UTF-8": [b"&x=%c0%af", b"&x=%ed%a0%80", b"&" + bytes(range(256))],
    "NUL": [b"&x=%00", b"&x%00=y", b"&x=\0"],
    "no =": [b"&x"],
}


@pytest.mark.parametrize("tails", BROKEN.values(), ids=BROKEN)
def test_broken_encoding_is_invalid(post, tails):  # T-20
    for tail in tails:
        answer = post(CC + tail)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)


@pytest.mark.parametrize("length", ["65537", str(2 << 20), str(10 * 2**30), "9" * 18])
def test_a_body_that_is_announced_too_large_is_not_read(post, length):  # T-21
    answer = post(CC, CONTENT_LENGTH=length, **{"wsgi.input": Untouched()})

    assert answer.status == 413


def test_a_body_up_to_the_limit_is_read(post):  # T-21
    body = CC + b"&x="

    assert post(body + b"y" * (65536 - len(body))).status == 200


@pytest.mark.parametrize(
    "tail",
    [b"&a=b" * 20_000, b"&a=" * 12_000, b"&" * 60_000, b"&x=" + b"%41" * 20_000, b"&" + b"a=" * 30_000],
    ids=["20000 parameters", "12000 empty", "only &", "escapes", "only ="],
)
def test_a_large_form_is_judged_quickly(post, tail):  # T-21
    started = time.monotonic()
    answer = post(CC + tail)

    assert answer.status in (200, 400, 413)
    assert time.monotonic() - started < 2


def test_a_coded_body_is_not_decoded(post):  # H-14
    bomb = gzip.compress(CC + b"&x=" + b"y" * 10_000_000)

    assert post(bomb, HTTP_CONTENT_ENCODING="gzip").status == 400
    assert post(CC, HTTP_CONTENT_ENCODING="br").status == 400
    assert post(CC, HTTP_CONTENT_ENCODING="identity").status == 200


def test_the_answer_to_a_refused_form_says_nothing_of_it(post):  # T-16, L-01
    assert b"hunter2" not in post(CC + b"&hunter2=%zzhunter2").body


def test_the_next_valid_request_works(app):  # L-06
    for tail, *_ in BROKEN.values():
        post_form(app.app, CC + tail)

    assert issue(app)
