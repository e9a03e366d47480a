"""Bodies of token requests, byte for byte: how long they say to be, and how long they are."""

from __future__ import annotations

import time

import pytest
from hosting import Server
from wire import FORM, Wire, exchange, issue, refused, token_request, wire

BODY = "grant_type=client_credentials"
CHUNKED = "Transfer-Encoding: chunked"
SECOND = b"GET /public/second HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = "GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def chunked(*pieces: str) -> str:
    return "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"


def test_body_without_length_is_no_body(server: Server) -> None:  # H-01
    answer = exchange(server, token_request(body=""))
    assert answer and (answer.status, answer.json["error"]) == (400, "invalid_request")


LENGTHS = ["abc", "-1", "+29", "2_9", "0x1d", "29.0", "29,29", "\xb2\xb9", "", "9" * 40, "10737418240"]


@pytest.mark.parametrize("length", LENGTHS, ids=ascii)
def test_length_that_is_no_bounded_number_is_refused(server: Server, length: str) -> None:  # H-02, T-21
    assert refused(exchange(server, token_request(f"Content-Length: {length}")))


@pytest.mark.parametrize("second", ["29", "5"], ids=["the same", "another"])
def test_two_lengths_never_fail_the_server(server: Server, second: str) -> None:  # H-02
    answer = exchange(server, token_request("Content-Length: 29", f"Content-Length: {second}"))
    # wsgiref shows only the first of them; the other servers refuse.
    assert refused(answer) or (server.name == "wsgiref" and answer and answer.status == 200)


def test_body_shorter_than_announced_gets_no_token(server: Server) -> None:  # H-04
    assert refused(exchange(server, token_request("Content-Length: 40"), finish=True))


@pytest.mark.parametrize("pieces", [[BODY], list(BODY)], ids=["one chunk", "a chunk for each byte"])
def test_chunked_body_counts_where_the_server_ends_the_input(server: Server, pieces: list[str]) -> None:  # H-05
    answer = exchange(server, token_request(CHUNKED, body=chunked(*pieces)))
    assert answer and answer.status == (200 if server.kind.ends_input else 400)


BROKEN = {
    "size that is no number": f"zz\r\n{BODY}\r\n0\r\n\r\n",
    "negative size": f"-1\r\n{BODY}\r\n0\r\n\r\n",
    "size below the piece": f"5\r\n{BODY}\r\n0\r\n\r\n",
    "size above all that comes": f"ffffffffffffffff\r\n{BODY}\r\n0\r\n\r\n",
    "no last chunk": f"1d\r\n{BODY}\r\n",
    "two mebibytes": chunked(*["a" * 65536] * 32),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_or_huge_chunked_body_is_refused(server: Server, body: str) -> None:  # H-05, T-21
    assert refused(exchange(server, token_request(CHUNKED, body=body), finish=True))


def test_length_beside_chunks_never_fails_the_server(server: Server) -> None:  # H-05
    answer = exchange(server, token_request(CHUNKED, "Content-Length: 29", body=chunked(BODY)))
    # waitress drops the length, as RFC 9112 §6.3 allows; the other servers, or we, refuse.
    assert refused(answer) or (server.name == "waitress" and answer and answer.status == 200)


def test_length_spelled_with_an_underscore_is_no_length(server: Server) -> None:  # H-12
    answer = exchange(server, token_request("Content-Length: 29", "Content_Length: 3"))
    # uWSGI takes it for a second Content-Length, so that what we see is two joined by a comma.
    assert answer and answer.status == (400 if server.name.startswith("uwsgi") else 200)


def test_body_that_comes_byte_by_byte_is_read_to_its_end(server: Server) -> None:  # H-03, H-11
    with wire(server) as connection:
        connection.send(token_request("Content-Length: 29", body=""))
        for letter in BODY.encode():
            time.sleep(0.003)  # so that the server meets each of them alone
            connection.send(bytes([letter]))
        answer = connection.answer()
    assert answer and answer.status == 200


def post(path: str, body: str, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", body]).encode()


UNREAD = {
    "guard": (post("/whoami", SMUGGLED), 401),
    "guard, large": (post("/whoami", SMUGGLED * 20_000), 401),
    "media type": (post("/oauth/token", SMUGGLED, "Content-Type: text/plain"), 400),
    "too large": (post("/oauth/token", SMUGGLED * 20_000, f"Content-Type: {FORM}"), 413),
    "method": (post("/oauth/revoke", SMUGGLED).replace(b"POST", b"PUT"), 405),
}


def next_path(connection: Wire) -> str | None:
    """The path that the app sees of the next request; ``None`` when the server hung up."""
    try:
        connection.send(SECOND)
    except ConnectionError:
        return None
    answer = connection.answer()
    return str(answer.json["path"]) if answer else None


@pytest.mark.parametrize(("request_bytes", "status"), UNREAD.values(), ids=UNREAD)
def test_unread_body_is_never_the_next_request(server: Server, request_bytes: bytes, status: int) -> None:  # H-07
    with wire(server) as connection:
        try:
            connection.send(request_bytes)
        except ConnectionError:
            pass  # hung up before all of it was sent
        answer = connection.answer()
        assert answer is None or answer.status == status
        assert next_path(connection) in ("/public/second", None)


def test_connection_stays_open_after_a_refusal(server: Server) -> None:
    with wire(server) as connection:
        connection.send(b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = connection.answer()
        assert answer and answer.status == 401
        assert next_path(connection) == ("/public/second" if server.kind.keeps_alive else None)


def test_next_valid_request_works_after_all_of_these(server: Server) -> None:  # L-06
    assert issue(server)
