"""Requests to a real server: by the standard library's client, or byte for byte over a socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from hosting import SECRETS, Server

from helpers import support

HANG_SECONDS = 5.0
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def challenge(self) -> str:
        return str(self.headers.get("WWW-Authenticate", ""))

    @property
    def process(self) -> int:
        """The id of the worker that answered."""
        return int(self.headers["X-Process"])


class Wire:
    """One connection; a context manager. Every wait is bounded: a server that hangs is a test that fails."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=HANG_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def send(self, data: bytes, *, finish: bool = False) -> None:
        """Also where the server hangs up before all of it was sent: its answer is there all the same.

        :param finish: tell the server that nothing more will come.
        """
        with suppress(OSError):
            self.socket.sendall(data)
            if finish:
                self.socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "GET") -> Answer | None:
        """The next answer; ``None`` when the server closed the connection without one."""
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            answer = Answer(response.status, response.msg, response.read())
        except (ConnectionError, http.client.BadStatusLine):
            return None
        remember_token(self.server, answer)
        return answer

    def rest(self) -> bytes:
        """What else comes until the server closes the connection."""
        pieces = []
        with suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def exchange(server: Server, data: bytes, *, finish: bool = False) -> Answer | None:
    """Send ``data`` over a connection of its own; with ``finish``, say that nothing more comes. The answer, if any."""
    with Wire(server) as connection:
        connection.send(data, finish=finish)
        return connection.answer()


def refused(answer: Answer | None) -> bool:
    """The request was found at fault, by the middleware or before it by the server, which may just hang up."""
    return answer is None or 400 <= answer.status < 500


def ask(
    server: Server,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | str | None = None,
    connection: http.client.HTTPConnection | None = None,
    timeout: float = 2 * HANG_SECONDS,
) -> Answer:
    """One request over a connection of its own, or the next one over ``connection``."""
    sender = connection or http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    body = urlencode(form) if isinstance(form, Mapping) else form
    own = {"Content-Type": FORM} if form is not None else {}
    if connection is None:
        own["Connection"] = "close"
    try:
        sender.request(method, path, body, {**own, **(headers or {})})
        response = sender.getresponse()
        answer = Answer(response.status, response.msg, response.read())
    finally:
        if connection is None:
            sender.close()
    remember_token(server, answer)
    return answer


def remember_token(server: Server, answer: Answer) -> None:
    """No token may ever stand in the server's output."""
    if answer.status == 200 and b'"access_token"' in answer.body:
        server.confidential.add(answer.json["access_token"])


def basic(client_id: str = "alpha", secret: str | None = None) -> dict[str, str]:
    return support.basic(client_id, SECRETS[client_id] if secret is None else secret, raw=True)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


GRANT = {"grant_type": "client_credentials"}
GRANT_BODY = urlencode(GRANT)


def issue(server: Server, client_id: str = "alpha", secret: str | None = None) -> str:
    answer = ask(server, "POST", "/oauth/token", basic(client_id, secret), GRANT)
    assert answer.status == 200
    return str(answer.json["access_token"])


def revoke(server: Server, token: str, client_id: str = "alpha", secret: str | None = None) -> Answer:
    return ask(server, "POST", "/oauth/revoke", basic(client_id, secret), {"token": token})


def raw(method: str, path: str, *lines: str, body: str = "") -> bytes:
    """The bytes of a request; ``lines`` are those of its head beside ``Host``."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", body]).encode("latin-1")


def get(path: str, *lines: str) -> bytes:
    return raw("GET", path, *lines)


def token_request(*lines: str, body: str = GRANT_BODY, path: str = "/oauth/token") -> bytes:
    """A token request of ``alpha`` with ``lines`` as the header lines that say how long its body is."""
    return raw("POST", path, f"Authorization: {basic()['Authorization']}", f"Content-Type: {FORM}", *lines, body=body)
