"""The form that the token endpoint reads: media type, encoding, size (RFC 6749, Appendix B)."""

from __future__ import annotations

import gzip
import time

import pytest

from helpers.support import SECRET, basic, issue, one_store
from helpers.wsgi_client import Untouched, call, make_environ, post_form

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"

pytestmark = one_store


@pytest.fixture
def post(wrap, client):
    """POST a body as the client."""
    app = wrap()
    header = basic("tester", SECRET)["Authorization"]
    return lambda body, **keys: post_form(app.app, body, **{"HTTP_AUTHORIZATION": header, **keys})


@pytest.mark.parametrize(
    "media_type",
    [
        FORM.upper(),
        "Application/X-WWW-Form-Urlencoded",
        FORM + "; charset=UTF-8",
        FORM + ";charset=utf-8",
        FORM + " ; charset=utf-8",
        FORM + '; charset="utf-8"',
        FORM + ";charset=us-ascii",
        FORM + "; boundary=x",
        FORM + ";",
    ],
)
def test_the_media_type_has_any_case_and_parameters(post, media_type):  # T-13
    assert post(CC, CONTENT_TYPE=media_type).status == 200


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        FORM + "x",
        "x" + FORM,
        f"{FORM}, application/json",
        f"application/json, {FORM}",
        FORM + "; charset=utf-16",
        FORM + "; charset=utf-7",
        FORM + "; charset=latin-1",
        FORM + "; charset=utf-8; charset=utf-16",
        "*/*",
        "",
        None,
        "application/x-www-form-url\xa0encoded",
    ],
)
def test_another_media_type_is_refused(post, media_type):  # T-14, H-13
    answer = post(CC, CONTENT_TYPE=media_type)

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--x--\r\n',
        ),
        (FORM, b'{"grant_type": "client_credentials"}'),
    ],
    ids=["JSON", "multipart", "JSON as form"],
)
def test_another_kind_of_body_is_refused(post, media_type, body):  # T-14
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


@pytest.mark.parametrize("body", [CC + b";scope=read", b"scope=read;" + CC])
def test_a_semicolon_separates_nothing(post, body):  # T-19
    assert post(body).status == 400


BROKEN = {
    "%zz": b"&x=%zz",
    "lone %": b"&x=%",
    "one digit": b"&x=%4",
    "%u": b"&x=%u0041",
    "latin-1": b"&x=%e4",
    "raw latin-1": b"&x=\xe4",
    "overlong": b"&x=%c0%af",
    "surrogate": b"&x=%ed%a0%80",
    "NUL": b"&x=%00",
    "NUL in a name": b"&x%00=y",
    "raw NUL": b"&x=\0",
    "raw binary": b"&" + bytes(range(256)),
    "no =": b"&x",
    "broken name": b"&%zz=x",
}


@pytest.mark.parametrize("tail", BROKEN.values(), ids=BROKEN)
def test_broken_encoding_is_invalid(post, tail):  # T-20
    answer = post(CC + tail)

    assert (answer.status, b"invalid_request" in answer.body) == (400, True)


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf" + CC, b"\xff\xfe" + CC, CC.decode().encode("utf-16"), b"\0" + CC])
def test_a_body_in_another_encoding_is_invalid(post, body):  # T-20
    assert post(body).status == 400


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


def test_a_long_media_type_is_refused(post):  # H-13
    assert post(CC, CONTENT_TYPE=FORM + ";" * 500).status == 400


def test_many_parameters_are_refused(post):  # T-21
    assert post(CC + b"&a=b" * 300).status == 400


def test_a_coded_body_is_not_decoded(post):  # H-14
    bomb = gzip.compress(CC + b"&x=" + b"y" * 10_000_000)

    assert post(bomb, HTTP_CONTENT_ENCODING="gzip").status == 400
    assert post(CC, HTTP_CONTENT_ENCODING="br").status == 400
    assert post(CC, HTTP_CONTENT_ENCODING="identity").status == 200


def test_the_answer_to_a_refused_form_says_nothing_of_it(post):  # T-16, L-01
    assert b"hunter2" not in post(CC + b"&hunter2=%zzhunter2").body


def test_the_body_may_come_without_a_content_type_when_it_is_empty(wrap, client):  # T-14
    app = wrap(grant_type_in="query")
    keys = {"QUERY_STRING": CC.decode(), "HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"]}
    answer = call(app.app, make_environ("POST", "/oauth/token", CONTENT_TYPE=None, CONTENT_LENGTH=None, **keys))

    assert answer.status == 200


def test_the_next_valid_request_works(wrap, client):  # L-06
    app = wrap()
    for tail in BROKEN.values():
        post_form(app.app, CC + tail)

    assert issue(app)
