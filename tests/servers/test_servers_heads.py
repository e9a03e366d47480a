"""Targets and header sections, byte for byte: nothing in them opens what is closed."""

from __future__ import annotations

from itertools import product

import pytest
from hosting import Server
from wire import Answer, basic, bearer, exchange, issue, refused, token_request

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


def seen_by_app(answer: Answer | None) -> str | None:
    """The path of a request that reached the app."""
    return str(answer.json["path"]) if answer and b"MARKER" in answer.body else None


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_odd_target_without_token_reaches_the_app_as_a_public_path_at_most(
    server: Server, targets: list[str]
) -> None:  # P-01
    for method, target in product(("GET", "OPTIONS"), targets):
        request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = exchange(server, request.encode("latin-1"), finish=True)
        # waitress and wsgiref fold a leading "//", uWSGI dot segments, before any app sees them.
        assert seen_by_app(answer) in ("/public", "/public/x") or (refused(answer) and not seen_by_app(answer)), target


@pytest.mark.parametrize("target", ["/public", "/public/x", "/public/%c3%bc"])
def test_public_path_reaches_the_app(server: Server, target: str) -> None:  # P-04
    answer = exchange(server, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer and (answer.status, answer.json["marker"], answer.json["client_id"]) == (200, "MARKER", None)


VARIANTS = ["//oauth/token", "/oauth//token", "/OAuth/Token", "/oauth/./token"]
VARIANTS += [f"/oauth/token{end}" for end in ("/", ";a=b", "%00", ".json")]


@pytest.mark.parametrize("target", VARIANTS)
def test_variant_of_the_token_path_is_the_endpoint_or_guarded(server: Server, target: str) -> None:  # P-02
    answer = exchange(server, token_request("Content-Length: 29").replace(b"/oauth/token", target.encode()))
    assert refused(answer) or (answer and answer.headers["Cache-Control"] == "no-store" and "expires_in" in answer.json)
    assert not seen_by_app(answer)


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good"), ("good", "good")], ids=" then ".join)
def test_several_authorization_lines_are_refused(server: Server, order: tuple[str, str]) -> None:  # B-09
    tokens = {"good": issue(server), "bad": "x"}
    answer = exchange(server, get("/whoami", *(f"Authorization: Bearer {tokens[word]}" for word in order)))
    assert answer and answer.status in (400, 401)


def test_several_authorization_lines_get_no_token(server: Server) -> None:
    twice = f"Authorization: {basic('beta')['Authorization']}"
    assert refused(exchange(server, token_request(twice, "Content-Length: 29")))


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
def test_no_header_lifts_the_guard(server: Server, line: str) -> None:  # P-03, B-11, B-18
    line = line.format(authorization=bearer(issue(server))["Authorization"])
    answer = exchange(server, get("/whoami", line))
    assert answer and (answer.status, b"MARKER" in answer.body) in ((401, False), (400, False))


@pytest.mark.parametrize("path", ["/public", "/whoami"])
def test_a_header_that_moves_the_root_of_the_app_is_refused(server: Server, path: str) -> None:  # P-08
    lines = ["x-vhm-root: /admin", f"Authorization: Bearer {issue(server)}"]
    answer = exchange(server, get(path, *lines))
    assert answer and (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_header_does_not_change_who_calls(server: Server) -> None:  # B-18
    spoofs = ["Client-Id: beta", "Client_Id: beta", "Oauth_Mw.Client_Id: beta", "OAuth-Mw.Client-Id: beta"]
    answer = exchange(server, get("/whoami", f"Authorization: Bearer {issue(server)}", *spoofs))
    assert answer and (answer.status == 400 or answer.json["client_id"] == "alpha")


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
    "made-up method": get("/whoami").replace(b"GET", b"FROB"),
    "lower-case method": get("/whoami").replace(b"GET", b"get"),
    "TRACE": get("/whoami").replace(b"GET", b"TRACE"),
}


@pytest.mark.parametrize("request_bytes", ODD.values(), ids=ODD)
def test_odd_head_is_refused_and_nothing_fails(server: Server, request_bytes: bytes) -> None:  # H-12, H-17, B-13
    assert refused(exchange(server, request_bytes, finish=True))
