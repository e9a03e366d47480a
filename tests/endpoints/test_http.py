"""Reading a body as HTTP and PEP 3333 say, whatever the peer sends (RFC 9112 §6)."""

from __future__ import annotations

import io

import pytest

from helpers.support import SECRET, basic, issue, one_store
from helpers.wsgi_client import Untouched, call, make_environ, post_form

CC = b"grant_type=client_credentials"
LENGTH = len(CC)

pytestmark = one_store


@pytest.fixture
def app(wrap, client):
    return wrap()


@pytest.fixture
def post(app):
    """POST a body as the client, with environ keys as given."""
    header = basic("tester", SECRET)["Authorization"]
    return lambda body=CC, **keys: post_form(app.app, body, **{"HTTP_AUTHORIZATION": header, **keys})


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
        raise AssertionError("nobody needs lines")

    readlines = __iter__ = readline


@pytest.mark.parametrize("length", [None, ""], ids=["missing", "empty"])
def test_a_post_without_length_has_no_body(post, length):  # H-01
    assert post(CONTENT_LENGTH=length, **{"wsgi.input": Untouched(CC)}).status == 400


LENGTHS = {
    "letters": "abc",
    "negative": "-1",
    "plus": "+29",
    "underscore": "1_0",
    "space before": " 29",
    "space after": "29 ",
    "line feed": "29\n",
    "hexadecimal": "0x1d",
    "joined": "29,29",
    "joined with space": "29, 29",
    "float": "29.0",
    "exponent": "2e1",
    "Arabic digits": "٢٩",
    "Arabic digits as bytes": "٢٩".encode().decode("latin-1"),
    "superscript": "2\xb9",
    "40 digits": "9" * 40,
    "5000 digits": "9" * 5000,
    "40 zeros": "0" * 40,
    "NUL": "29\0",
    "quotes": '"29"',
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
def test_a_length_is_digits_only(post, length):  # H-02
    answer = post(CONTENT_LENGTH=length, **{"wsgi.input": Untouched(CC)})

    assert answer.status in (400, 413)


def test_a_length_that_is_no_text_is_refused(post):  # H-02
    assert post(CONTENT_LENGTH=29, **{"wsgi.input": Untouched(CC)}).status == 400


@pytest.mark.parametrize("length", [f"{LENGTH:05d}", str(LENGTH)])
def test_leading_zeros_change_nothing(post, length):  # H-02
    assert post(CONTENT_LENGTH=length).status == 200


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_exactly_the_announced_bytes_are_read(post, step):  # H-03, H-11
    behind = b"&grant_type=password\r\n\r\nGET / HTTP/1.1\r\n"
    source = Strict(CC + behind, LENGTH, step)

    assert post(CONTENT_LENGTH=str(LENGTH), **{"wsgi.input": source}).status == 200
    assert source.left == 0


def test_a_length_of_zero_reads_nothing(post):  # H-03
    assert post(CONTENT_LENGTH="0", **{"wsgi.input": Untouched()}).status == 400


class Breaking(io.BytesIO):
    def __init__(self, error, body):
        super().__init__(body)
        self.error = error

    def read(self, size=-1):
        piece = super().read(min(size, 4))
        if not piece:
            raise self.error
        return piece


class ServersOwnError(Exception):
    """Stands for the errors that servers raise for broken bodies."""


@pytest.mark.parametrize(
    "error", [OSError("cut"), ConnectionResetError(), TimeoutError(), ValueError("bad chunk"), ServersOwnError()]
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_input_that_fails_gives_no_token(post, error, chunked):  # H-04, H-05
    keys = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": None}
    answer = post(**{"wsgi.input": Breaking(error, CC), **(keys if chunked else {"CONTENT_LENGTH": "99"})})

    assert (answer.status, b"access_token" in answer.body) == (400, False)


@pytest.mark.parametrize("missing", [1, LENGTH - 1, LENGTH])
def test_a_body_shorter_than_announced_gives_no_token(post, missing):  # H-04
    assert post(CC[: LENGTH - missing], CONTENT_LENGTH=str(LENGTH)).status == 400


def test_a_prefix_that_would_do_by_itself_gives_no_token(post):  # H-04
    assert post(CC + b"&x=", CONTENT_LENGTH="1000").status == 400


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}


@pytest.mark.parametrize("step", [1, 1000])
def test_a_chunked_body_that_the_server_ends_is_read(post, step):  # H-05
    source = Strict(CC, 1 << 20, step)

    assert post(**CHUNKED, **{"wsgi.input_terminated": True, "wsgi.input": source}).status == 200


def test_a_chunked_body_that_nobody_ends_is_refused_unread(post):  # H-05
    assert post(**CHUNKED, **{"wsgi.input": Untouched(CC)}).status == 400


@pytest.mark.parametrize("terminated", [True, False])
def test_a_length_and_chunks_are_refused(post, terminated):  # H-05
    keys = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": terminated, "wsgi.input": Untouched(CC)}

    assert post(CONTENT_LENGTH=str(LENGTH), **keys).status == 400


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
    smuggled = b"POST /oauth/token HTTP/1.1\r\n\r\n"
    source = Untouched(smuggled)
    keys = {"wsgi.input": source, "CONTENT_LENGTH": str(len(smuggled)), "HTTP_AUTHORIZATION": authorization}

    assert call(app.app, make_environ("POST", "/any", **keys)).status == 401
    assert source.tell() == 0


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_wrong_method_does_not_read_the_body(app, path, method):  # H-22, R-08, I-08
    keys = {"wsgi.input": Untouched(CC), "CONTENT_LENGTH": str(LENGTH)}

    assert call(app.app, make_environ(method, path, **keys)).status == 405


@pytest.mark.parametrize("reason", ["type", "encoding"])
def test_what_is_refused_by_its_headers_is_not_read(post, reason):  # H-22
    keys = {"CONTENT_TYPE": "application/json"} if reason == "type" else {"HTTP_CONTENT_ENCODING": "gzip"}

    assert post(**keys, CONTENT_LENGTH="20", **{"wsgi.input": Untouched(CC)}).status == 400


def test_the_next_valid_request_works(app, post):  # L-06
    for length in LENGTHS.values():
        post(CONTENT_LENGTH=length)

    assert issue(app)
