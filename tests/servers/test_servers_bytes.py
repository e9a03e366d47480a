"""Requests byte for byte: nothing in their targets, heads and bodies opens what is closed, or fails the server."""

from __future__ import annotations

import time

import pytest
from hosting import each_parser
from wire import FORM, GRANT_BODY, Answer, Wire, basic, exchange, get, issue, raw, refused, token_request

pytestmark = each_parser


def seen_by_app(answer: Answer | None) -> str | None:
    """The path of a request that reached the app."""
    return str(answer.json["path"]) if answer and b"MARKER" in answer.body else None


# Written as they stand in the request line.
TARGETS = {
    "dot segments": ["/public/../admin", "/../public", "/public/./x", "/oauth/token/../../admin"],
    "encoded dot segments": ["/public/%2e%2e/admin", "/public/%252e%252e/admin"],
    "parameters": ["/public/..;/admin", "/public;x"],
    "empty segments": ["//public", "/public//x", "/public%2f%2fx"],
    "backslashes": ["/public/..\\admin", "/public%5cadmin"],
    "control characters": ["/public%00", "/public/%00x", "/public/%0ax"],
    "near": ["/Public", "/publicx", "/.well-known/x", "/", "public"],
    "bytes that are not UTF-8": ["/%ff%fe", "/public/x%ff", "/pub%fflic", "/public/x\xff"],
    "overlong or surrogate": ["/public%c0%afx", "/public/%ed%a0%80"],
    "absolute form": ["http://localhost/whoami", "http://localhost//public", "http://public/admin"],
    "absolute form, user": ["http://public@localhost/admin"],
    "other forms": ["*", "localhost:80"],
    "query or fragment": ["?/public", "/admin#/public", "/admin?/public"],
}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_odd_target_without_token_reaches_the_app_as_a_public_path_at_most(server, method, targets):  # P-01
    for target in targets:
        answer = exchange(server, raw(method, target), finish=True)
        # waitress and wsgiref fold a leading "//", uWSGI dot segments, before any app sees them.
        assert seen_by_app(answer) in ("/public", "/public/x") or (refused(answer) and not seen_by_app(answer)), target


@pytest.mark.parametrize("target", ["/public", "/public/x", "/public/%c3%bc"])
def test_public_path_reaches_the_app(server, target):  # P-04
    answer = exchange(server, get(target))
    assert answer and (answer.status, answer.json["marker"], answer.json["client_id"]) == (200, "MARKER", None)


VARIANTS = ["//oauth/token", "/oauth//token", "/OAuth/Token", "/oauth/./token"]
VARIANTS += [f"/oauth/token{end}" for end in ("/", ";a=b", "%00", ".json")]


@pytest.mark.parametrize("target", VARIANTS)
def test_variant_of_the_token_path_is_the_endpoint_or_guarded(server, target):  # P-02
    answer = exchange(server, token_request("Content-Length: 29", path=target))
    assert refused(answer) or (answer and answer.headers["Cache-Control"] == "no-store" and "expires_in" in answer.json)
    assert not seen_by_app(answer)


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good"), ("good", "good")], ids=" then ".join)
def test_several_authorization_lines_are_refused(server, order):  # B-09
    tokens = {"good": issue(server), "bad": "x"}
    answer = exchange(server, get("/whoami", *(f"Authorization: Bearer {tokens[word]}" for word in order)))
    assert answer and answer.status in (400, 401)


# By value: the names of header lines that name a path or carry what authorizes elsewhere.
LINES = {
    "/public": "X-Original-URL X-Rewrite-URL X-Forwarded-Path X-Forwarded-Prefix Path-Info Path_Info",
    "/whoami": "Script-Name Script_Name",
    "HEAD": "X-HTTP-Method-Override",
    "h2c": "Upgrade",
    "alpha": "Oauth_Mw.Client_Id OAUTH-MW-CLIENT-ID",
    "{authorization}": "HTTP_AUTHORIZATION X-Authorization Proxy-Authorization",
    "access_token={authorization}": "Cookie",
}
LIFTS = [f"{name}: {value}" for value, names in LINES.items() for name in names.split()]


@pytest.mark.parametrize("line", LIFTS)
def test_no_header_lifts_the_guard(server, line):  # P-03, B-11, B-18
    answer = exchange(server, get("/whoami", line.format(authorization=f"Bearer {issue(server)}")))
    assert answer and (answer.status, b"MARKER" in answer.body) in ((401, False), (400, False))


@pytest.mark.parametrize("path", ["/public", "/whoami"])
def test_a_header_that_moves_the_root_of_the_app_is_refused(server, path):  # P-08
    answer = exchange(server, get(path, "x-vhm-root: /admin", f"Authorization: Bearer {issue(server)}"))
    assert answer and (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_header_does_not_change_the_client(server):  # B-18
    spoofs = ["Client-Id: beta", "Client_Id: beta", "Oauth_Mw.Client_Id: beta", "OAuth-Mw.Client-Id: beta"]
    answer = exchange(server, get("/whoami", f"Authorization: Bearer {issue(server)}", *spoofs))
    assert answer and (answer.status == 400 or answer.json["client_id"] == "alpha")


CHUNKED = "Transfer-Encoding: chunked"


def chunked(*pieces: str) -> str:
    return "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"


LENGTHS = ["abc", "-1", "+29", "2_9", "0x1d", "29.0", "29,29", "\xb2\xb9", "", "9" * 40, "10737418240"]
BODIES = {
    "size that is no number": f"zz\r\n{GRANT_BODY}\r\n0\r\n\r\n",
    "negative size": f"-1\r\n{GRANT_BODY}\r\n0\r\n\r\n",
    "size below the piece": f"5\r\n{GRANT_BODY}\r\n0\r\n\r\n",
    "size above all that comes": f"ffffffffffffffff\r\n{GRANT_BODY}\r\n0\r\n\r\n",
    "no last chunk": f"1d\r\n{GRANT_BODY}\r\n",
    "two mebibytes": chunked(*["a" * 65536] * 32),
}
ODD = {
    "no host": b"GET /whoami HTTP/1.1\r\n\r\n",
    "two hosts": get("/whoami", "Host: other"),
    "broken host": get("/whoami").replace(b"localhost", b"a b\xff:x"),
    "folded line": get("/whoami", "X-Folded: a\r\n b"),
    "NUL in a value": get("/whoami", "X-Odd: a\0b"),
    "NUL in the token": get("/whoami", "Authorization: Bearer a\0b"),
    "latin-1": get("/whoami", "X-Odd: \xe4\xff", "Authorization: Bearer \xe4\xff"),
    "name with a space": get("/whoami", "X Odd: a"),
    "64 kB": get("/whoami", "Authorization: Bearer " + "a" * 65_000),
    "300 lines": get("/whoami", *(f"X-{number}: a" for number in range(300))),
    "version 1.0": b"GET /whoami HTTP/1.0\r\n\r\n",
    "version 0.9": b"GET /whoami\r\n\r\n",
    "made-up method": raw("FROB", "/whoami"),
    "lower-case method": raw("get", "/whoami"),
    "TRACE": raw("TRACE", "/whoami"),
    "credentials twice": token_request(f"Authorization: {basic('beta')['Authorization']}", "Content-Length: 29"),
    "body shorter than announced": token_request("Content-Length: 40"),
    **{f"length {length!a}": token_request(f"Content-Length: {length}") for length in LENGTHS},
    **{f"chunks: {what}": token_request(CHUNKED, body=body) for what, body in BODIES.items()},
}


@pytest.mark.parametrize("request_bytes", ODD.values(), ids=ODD)
def test_odd_request_is_refused_and_nothing_fails(server, request_bytes):
    # A-16, B-13, H-02, H-04, H-05, H-12, H-17, T-21
    assert refused(exchange(server, request_bytes, finish=True))


def test_body_without_length_is_no_body(server):  # H-01
    answer = exchange(server, token_request(body=""))
    assert answer and (answer.status, answer.json["error"]) == (400, "invalid_request")


# Where a server understands by itself what else is refused.
OBLIGING = {
    "the same length twice": (token_request("Content-Length: 29", "Content-Length: 29"), {"wsgiref"}),
    "two lengths": (token_request("Content-Length: 29", "Content-Length: 5"), {"wsgiref"}),  # it shows the first
    # RFC 9112 §6.3 allows to drop the length.
    "a length beside chunks": (token_request(CHUNKED, "Content-Length: 29", body=chunked(GRANT_BODY)), {"waitress"}),
}


@pytest.mark.parametrize(("request_bytes", "obliging"), OBLIGING.values(), ids=OBLIGING)
def test_several_lengths_never_fail_the_server(server, request_bytes, obliging):
    answer = exchange(server, request_bytes)  # H-02, H-05
    assert refused(answer) or (server.name in obliging and answer and answer.status == 200)


@pytest.mark.parametrize("pieces", [[GRANT_BODY], list(GRANT_BODY)], ids=["one chunk", "a chunk for each byte"])
def test_chunked_body_counts_where_the_server_ends_the_input(server, pieces):  # H-05
    answer = exchange(server, token_request(CHUNKED, body=chunked(*pieces)))
    assert answer and answer.status == (200 if server.kind.ends_input else 400)


def test_what_follows_a_body_that_was_not_read_never_fails_the_server(server):  # uWSGI takes it for a request
    with Wire(server) as connection:
        connection.send(token_request(CHUNKED, body=""))
        early = [] if server.kind.ends_input else [connection.answer()]
        connection.send(chunked(GRANT_BODY).encode(), finish=True)
        answers = [*early, connection.answer(), connection.answer()][:2]

    statuses = [answer and answer.status for answer in answers]
    assert statuses == ([400, 400] if server.name == "uwsgi" else [200 if server.kind.ends_input else 400, None])


def test_length_spelled_with_an_underscore_is_no_length(server):  # H-12
    answer = exchange(server, token_request("Content-Length: 29", "Content_Length: 3"))
    # uWSGI takes it for a second Content-Length, so that what we see is two joined by a comma.
    assert answer and answer.status == (400 if server.name == "uwsgi" else 200)


def test_body_that_comes_byte_by_byte_is_read_to_its_end(server):  # H-03, H-11
    with Wire(server) as connection:
        connection.send(token_request("Content-Length: 29", body=""))
        for letter in GRANT_BODY.encode():
            time.sleep(0.003)  # so that the server meets each of them alone
            connection.send(bytes([letter]))
        answer = connection.answer()
    assert answer and answer.status == 200


SMUGGLED = "GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def with_body(method: str, path: str, body: str, *lines: str) -> bytes:
    return raw(method, path, f"Content-Length: {len(body)}", *lines, body=body)


UNREAD = {
    "head alone": (get("/whoami"), 401),
    "guard": (with_body("POST", "/whoami", SMUGGLED), 401),
    "guard, large": (with_body("POST", "/whoami", SMUGGLED * 20_000), 401),
    "media type": (with_body("POST", "/oauth/token", SMUGGLED, "Content-Type: text/plain"), 400),
    "too large": (with_body("POST", "/oauth/token", SMUGGLED * 20_000, f"Content-Type: {FORM}"), 413),
    "method": (with_body("PUT", "/oauth/revoke", SMUGGLED), 405),
}


@pytest.mark.parametrize("what", UNREAD)
def test_unread_body_is_never_the_next_request(server, what):  # H-07
    request_bytes, status = UNREAD[what]
    with Wire(server) as connection:
        connection.send(request_bytes)
        answer = connection.answer()
        connection.send(get("/public/second"))
        second = seen_by_app(connection.answer())

    assert answer is None or answer.status == status
    assert second in ("/public/second", None)
    assert second == ("/public/second" if server.kind.keeps_alive else None) or what != "head alone"


def test_next_valid_request_works_after_all_of_these(server):  # L-06
    assert issue(server)
