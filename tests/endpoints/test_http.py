"""Reading a body as HTTP and PEP 3333 say (RFC 9112 §6), and the form in it (RFC 6749, Appendix B)."""

from __future__ import annotations

import gzip
import io

import pytest

from helpers.support import one_store
from helpers.wsgi_client import Untouched, call, make_environ

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"
LENGTH = len(CC)
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}

pytestmark = one_store


class Strict(io.RawIOBase):
    """An input that gives ``step`` bytes at most, and is read with a size, and not beyond ``limit``."""

    def __init__(self, body, limit, step=1 << 20):
        self.body, self.left, self.step = io.BytesIO(body), limit, step

    def read(self, size=-1):
        assert 0 < size <= self.left, f"read({size}) with {self.left} bytes left"
        piece = self.body.read(min(size, self.step))
        self.left -= len(piece)
        return piece

    def readline(self, size=-1):
        raise AssertionError("no code needs lines")

    readlines = __iter__ = readline


LENGTHS = {
    "missing or empty": [None, ""],
    "zero": ["0", "0" * 40],
    "no number": ["abc", "-1", "+29", "1_0", "0x1d", "29.0", "2e1", '"29"'],
    "white space": [" 29", "29 ", "29\n", "29\0"],
    "joined": ["29,29", "29, 29"],
    "other digits": ["٢٩", "٢٩".encode().decode("latin-1"), "2\xb9"],
    "long": ["9" * 40, "9" * 5000],
    "no text": [29],
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_a_length_is_digits_only_and_without_one_nothing_is_read(post, lengths):  # H-01, H-02, H-03, L-06
    answers = [post(CONTENT_LENGTH=length, **{"wsgi.input": Untouched(CC)}) for length in lengths]

    assert {answer.status for answer in answers} <= {400, 413}
    assert post(CONTENT_LENGTH=f"{LENGTH:05d}").status == post().status == 200


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_exactly_the_announced_bytes_are_read(post, step):  # H-03, H-11
    source = Strict(CC + b"&grant_type=password\r\n\r\nGET / HTTP/1.1\r\n", LENGTH, step)

    assert post(CONTENT_LENGTH=str(LENGTH), **{"wsgi.input": source}).status == 200
    assert source.left == 0


class Breaking(io.BytesIO):
    def __init__(self, error, body):
        super().__init__(body)
        self.error = error

    def read(self, size=-1):
        piece = super().read(min(size, 4))
        if not piece:
            raise self.error
        return piece


@pytest.mark.parametrize("keys", [{"CONTENT_LENGTH": "99"}, {**CHUNKED, "wsgi.input_terminated": True}], ids=len)
def test_an_input_that_fails_gives_no_token(post, keys):  # H-04, H-05
    for error in (
        OSError("cut"),
        ConnectionResetError(),
        TimeoutError(),
        ValueError("bad chunk"),
        Exception("its own"),
    ):
        answer = post(**{"wsgi.input": Breaking(error, CC)}, **keys)
        assert (answer.status, b"access_token" in answer.body) == (400, False)


@pytest.mark.parametrize(("body", "length"), [(CC[:-1], LENGTH), (CC[:1], LENGTH), (b"", LENGTH), (CC + b"&x=", 1000)])
def test_a_body_shorter_than_announced_gives_no_token(post, body, length):  # H-04
    assert post(body, CONTENT_LENGTH=str(length)).status == 400


@pytest.mark.parametrize("step", [1, 1000])
def test_a_chunked_body_that_the_server_ends_is_read(post, step):  # H-05
    source = Strict(CC, 1 << 20, step)

    assert post(**CHUNKED, **{"wsgi.input_terminated": True, "wsgi.input": source}).status == 200


@pytest.mark.parametrize(("length", "terminated"), [(None, None), (str(LENGTH), True), (str(LENGTH), False)])
def test_a_chunked_body_that_has_no_end_or_a_length_is_refused_unread(post, length, terminated):  # H-05
    keys = {"CONTENT_LENGTH": length, "wsgi.input_terminated": terminated, "wsgi.input": Untouched(CC)}

    assert post(**{**CHUNKED, **keys}).status == 400


class Endless(io.RawIOBase):
    taken = 0

    def read(self, size=-1):
        assert size > 0
        self.taken += size
        return b"a" * size


def test_an_endless_chunked_body_is_cut_off(post):  # H-05, T-21
    source = Endless()

    assert post(**CHUNKED, **{"wsgi.input_terminated": True, "wsgi.input": source}).status == 413
    assert source.taken <= 65537


def test_without_length_an_input_that_ends_is_read(post):  # H-01, H-05
    keys = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}

    assert post(**keys).status == 200
    assert post(b"", **keys, **{"wsgi.input": io.BytesIO()}).status == 400


@pytest.mark.parametrize("authorization", ["", "Bearer bad", "Basic x"])
def test_a_refusal_of_the_guard_leaves_the_body_to_the_server(app, authorization):  # H-07, H-22
    source = Untouched(b"POST /oauth/token HTTP/1.1\r\n\r\n")
    keys = {"wsgi.input": source, "CONTENT_LENGTH": "30", "HTTP_AUTHORIZATION": authorization}

    assert call(app.app, make_environ("POST", "/any", **keys)).status == 401
    assert source.tell() == 0


@pytest.mark.parametrize("keys", [{"CONTENT_TYPE": "application/json"}, {"HTTP_CONTENT_ENCODING": "gzip"}], ids=str)
def test_what_is_refused_by_its_headers_is_not_read(post, keys):  # H-22
    assert post(**keys, CONTENT_LENGTH="20", **{"wsgi.input": Untouched(CC)}).status == 400


# The form

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
    "any or none": ["*/*", "", None],
    "long": [FORM + ";" * 500],
}


@pytest.mark.parametrize("media_types", OTHERS.values(), ids=OTHERS)
def test_another_media_type_is_refused(post, media_types):  # T-14, H-13
    for media_type in media_types:
        answer = post(CONTENT_TYPE=media_type)
        assert (answer.status, b"invalid_request" in answer.body) == (400, True)


CHARSETS = ["us-ascii", "iso-8859-1", "utf-16", "latin-1; charset=utf-8"]


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize(("tail", "status"), [(b"", 200), (b"&x=%41", 200), (b"&x=%C3%A4", 400), (b"&x=\xc3\xa4", 400)])
def test_another_charset_may_be_named_for_what_is_ascii(post, charset, tail, status):  # T-14
    assert post(CC + tail, CONTENT_TYPE=f"{FORM}; charset={charset}").status == status


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
